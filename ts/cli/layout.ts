import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { type Fields, type FieldType, IsthmusError, type Struct, struct } from "../index.js";
import { cHeader, isStruct } from "./c-header.js";
import { type Command, DONE, Failure, Misuse } from "./command.js";
import { pathOf } from "./file.js";
import { json, line, paint, table } from "./print.js";

type Named = [name: string, struct: Struct<Fields>];

/** `isthmus layout FILE`: where the fields of structs lie, as a table or as a C header. */
export const layout: Command = {
  help: [
    "FILE is a module that exports what struct(...) returned, or JSON: { NAME: { FIELD: TYPE, ... }, ... }.",
    "FILE can be a URL (file:///...), too.",
    "In JSON a TYPE may also be the NAME of an earlier struct.",
    "With --c the result is a C header whose static asserts check every offset; with --c and --json it is",
    "{ header: TEXT }. Output of the module while it is loaded goes to stderr.",
  ].join("\n"),
  async run({ names: [given], json: asJson, options }) {
    const file = pathOf(given);
    const structs = file.endsWith(".json") ? fromJson(file) : await fromModule(file);
    if (structs.length === 0) throw new Misuse(`${file} has no struct: export what struct(...) returns`);
    if (options.has("c")) {
      const header = cHeader(basename(file), structs);
      if (asJson) json({ header });
      else line(header);
      return DONE;
    }
    if (asJson) json(Object.fromEntries(structs.map(([name, one]) => [name, described(one)])));
    else for (const [name, one] of structs) print(name, one);
    return DONE;
  },
};

async function fromModule(file: string): Promise<Named[]> {
  const path = resolve(file);
  reading(file, () => readFileSync(path));
  const exported = await loaded(file, pathToFileURL(path).href);
  const all = { ...(exported.default as object | undefined), ...exported };
  return Object.entries(all).filter((entry): entry is Named => entry[0] !== "default" && isStruct(entry[1]));
}

/** Loads the module. Its output goes to standard error, because standard output is for the result. */
async function loaded(file: string, url: string): Promise<Record<string, unknown>> {
  const { write } = process.stdout;
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await import(url);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const advice = code === "ERR_UNKNOWN_FILE_EXTENSION" ? ": compile it, or run this with Bun or Deno" : "";
    throw new Failure(`cannot load ${file}: ${message ?? error}${advice}`);
  } finally {
    process.stdout.write = write;
  }
}

function fromJson(file: string): Named[] {
  const text = reading(file, () => readFileSync(file, "utf8"));
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new Misuse(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (given === null || typeof given !== "object" || Array.isArray(given))
    throw new Misuse(`${file} must hold an object of structs: { NAME: { FIELD: TYPE, ... }, ... }`);
  const known = new Map<string, Struct<Fields>>();
  for (const [name, fields] of Object.entries(given)) {
    try {
      known.set(name, struct(resolved(fields as Fields, known)));
    } catch (error) {
      throw new Misuse(`${file}: struct ${JSON.stringify(name)}: ${(error as Error).message}`);
    }
  }
  return [...known];
}

/** The fields, in which names of structs are replaced by the structs. */
function resolved(fields: Fields, known: Map<string, Struct<Fields>>): Fields {
  if (fields === null || typeof fields !== "object") throw new TypeError("fields must be an object");
  const type = (given: FieldType): FieldType => {
    if (typeof given === "string") return known.get(given) ?? given;
    return Array.isArray(given) ? ([type(given[0]), given[1]] as FieldType) : given;
  };
  return Object.fromEntries(Object.entries(fields).map(([name, given]) => [name, type(given)]));
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new IsthmusError("NOT_FOUND", `cannot read ${file}: ${(error as Error).message}`);
  }
}

function typeText(type: FieldType): string {
  if (isStruct(type)) return `struct ${type.hash.toString(16)}`;
  return typeof type === "string" ? type : `${typeText((type as [FieldType, number])[0])}[${type[1]}]`;
}

function described({ bytes, hash, fields, offsets }: Struct<Fields>) {
  const list = Object.entries(fields).map(([name, type]) => ({
    name,
    type: typeText(type),
    offset: offsets[name],
  }));
  return { bytes, hash, fields: list };
}

function print(name: string, one: Struct<Fields>): void {
  const { bytes, hash, fields } = described(one);
  line(`${paint.bold(name)}  ${bytes} bytes, hash ${hash.toString(16).padStart(8, "0")}`);
  table(
    [">OFFSET", "FIELD", "TYPE"],
    fields.map((field) => [`${field.offset}`, field.name, field.type]),
  );
  line();
}
