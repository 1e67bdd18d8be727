/** One reader for all fields of a struct, made when the struct is defined: several times as fast as a loop over them. */

export interface FieldReader {
  name: string;
  offset: number;
  read(view: DataView, offset: number): unknown;
}

export type StructReader = (view: DataView, offset: number) => Record<string, unknown>;

function loop(fields: readonly FieldReader[]): StructReader {
  return (view, offset) => {
    const value: Record<string, unknown> = {};
    for (const field of fields) value[field.name] = field.read(view, offset + field.offset);
    return value;
  };
}

/**
 * An object literal with one call per field, so that engines know its shape and inline the calls. Names are quoted as JSON
 * and offsets are numbers: nothing of a field can become code. Where making functions from text is forbidden, a loop.
 */
export function structReader(fields: readonly FieldReader[]): StructReader {
  const reads = fields.map((field) => field.read);
  const names = reads.map((_, i) => `read${i}`);
  const properties = fields.map(
    (f, i) => `[${JSON.stringify(f.name)}]: ${names[i]}(view, offset + ${Number(f.offset)})`,
  );
  try {
    const make = new Function(...names, `return (view, offset) => ({ ${properties.join(", ")} });`);
    return make(...reads) as StructReader;
  } catch {
    return loop(fields);
  }
}
