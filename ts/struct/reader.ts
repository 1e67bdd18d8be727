/**
 * Readers of all fields of a struct. They are made when the struct is defined, and are several times as fast as a loop over the
 * fields.
 */

export interface FieldReader {
  name: string;
  /** Offset from the start of the struct. */
  offset: number;
  read(view: DataView, offset: number): unknown;
  readInto(view: DataView, offset: number, target: unknown): unknown;
}

type StructObject = Record<string, unknown>;

export interface StructReader {
  /** Returns a new object with all fields. */
  read(view: DataView, offset: number): StructObject;
  /** Overwrites the fields of an object, and the elements and fields of its arrays and objects if they have the same shape. */
  readInto(view: DataView, offset: number, target: StructObject): StructObject;
}

/** Objects inherit a setter with this name, which an assignment would call. */
const SETTER = "__proto__";

function define(target: StructObject, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * For runtimes that forbid `new Function`. Fields are defined, not assigned, because objects may inherit a setter of that name.
 */
function loops(fields: readonly FieldReader[]): StructReader {
  return {
    read: (view, offset) =>
      Object.fromEntries(fields.map((field) => [field.name, field.read(view, offset + field.offset)])),
    readInto(view, offset, target) {
      for (const { name, offset: at, read, readInto } of fields) {
        if (name === SETTER) define(target, name, read(view, offset + at));
        else target[name] = readInto(view, offset + at, target[name]);
      }
      return target;
    },
  };
}

/**
 * Makes functions with one call per field, so that engines know the shape of the objects and inline the calls. Names are quoted
 * as JSON and offsets are numbers, so nothing of a field can become code. Where `new Function` is forbidden, it makes functions
 * with loops.
 */
export function structReader(fields: readonly FieldReader[]): StructReader {
  const at = (i: number): string => `view, offset + ${Number(fields[i].offset)}`;
  const key = (i: number): string => JSON.stringify(fields[i].name);
  const assignments = fields.map(({ name }, i) =>
    name === SETTER
      ? `define(target, ${key(i)}, read${i}(${at(i)}));`
      : `target[${key(i)}] = into${i}(${at(i)}, target[${key(i)}]);`,
  );
  try {
    const reads = fields.map(({ read }) => read);
    const intos = fields.map(({ readInto }) => readInto);
    const readNames = reads.map((_, i) => `read${i}`);
    const intoNames = intos.map((_, i) => `into${i}`);
    const inherits = fields.some(({ name }) => name in Object.prototype);
    const read = new Function(
      ...readNames,
      inherits ? literal(fields, at, key) : constructed(fields, at, key),
    );
    const body = `return (view, offset, target) => { ${assignments.join(" ")} return target; };`;
    const readInto = new Function("define", ...readNames, ...intoNames, body);
    return { read: read(...reads), readInto: readInto(define, ...reads, ...intos) };
  } catch {
    return loops(fields);
  }
}

type Text = (i: number) => string;

/** For names that objects inherit: these must be defined. */
function literal(fields: readonly FieldReader[], at: Text, key: Text): string {
  // A computed key would define `__proto__` like any other field, but engines create objects with computed keys far more
  // slowly.
  const literalKey = (name: string, i: number): string => (name === SETTER ? `[${key(i)}]` : key(i));
  const members = fields.map(({ name }, i) => `${literalKey(name, i)}: read${i}(${at(i)})`);
  return `return (view, offset) => ({ ${members.join(", ")} });`;
}

/**
 * Makes plain objects with a separate constructor. V8 uses one shape for all literals with the same names. The literal that
 * defines the struct has texts where values have numbers. With that shape, V8 would store each number as a separate object, and
 * `readInto` would allocate one for each field.
 */
function constructed(fields: readonly FieldReader[], at: Text, key: Text): string {
  const members = fields.map((_, i) => `this[${key(i)}] = read${i}(${at(i)});`);
  return (
    `function Value(view, offset) { ${members.join(" ")} } Value.prototype = Object.prototype; ` +
    "return (view, offset) => new Value(view, offset);"
  );
}
