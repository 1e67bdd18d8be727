import type { Scalar } from "./scalars.js";

/**
 * Writers of all fields of a struct. They are made when the struct is defined, and are several times as fast as a loop over the
 * fields.
 */

export interface FieldWriter {
  name: string;
  /** Offset from the start of the struct. */
  offset: number;
  /** Writes a value, or throws if it does not fit. */
  write(view: DataView, offset: number, value: unknown, path: string): void;
  /** For a field of one word, which is written directly if it fits. */
  scalar?: Scalar<unknown> | undefined;
}

/** Writes the fields of `value`. Errors call the value `path`. */
export type StructWriter = (
  view: DataView,
  offset: number,
  value: Record<string, unknown>,
  path: string,
) => void;

/** How an error names a field of the value at `path`. */
function within(path: string, name: string): string {
  return path === "value" ? name : `${path}.${name}`;
}

/** For runtimes that forbid `new Function`. */
function loop(fields: readonly FieldWriter[]): StructWriter {
  return (view, offset, value, path) => {
    for (const { name, offset: at, write } of fields)
      write(view, offset + at, value[name], within(path, name));
  };
}

/**
 * Makes a function with one statement per field, so that engines know the shape of the values and inline the calls. Names are
 * quoted as JSON and offsets are numbers, so nothing of a field can become code. Each field is read once, because a getter may
 * return another value the second time. Where `new Function` is forbidden, it makes a function with a loop.
 */
export function structWriter(fields: readonly FieldWriter[]): StructWriter {
  const statements = fields.map(({ name, offset, scalar }, i) => {
    const at = `view, offset + ${Number(offset)}`;
    const key = JSON.stringify(name);
    const checked = `write${i}(${at}, value${i}, within(path, ${key}));`;
    const write = scalar ? `if (fits${i}(value${i})) put${i}(${at}, value${i}); else ${checked}` : checked;
    return `const value${i} = value[${key}]; ${write}`;
  });
  try {
    const names = (prefix: string): string[] => fields.map((_, i) => `${prefix}${i}`);
    const body = `return (view, offset, value, path) => { ${statements.join(" ")} };`;
    const make = new Function("within", ...names("write"), ...names("fits"), ...names("put"), body);
    const writes = fields.map(({ write }) => write);
    const fits = fields.map(({ scalar }) => scalar?.fits);
    const puts = fields.map(({ scalar }) => scalar?.write);
    return make(within, ...writes, ...fits, ...puts);
  } catch {
    return loop(fields);
  }
}
