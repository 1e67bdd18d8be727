/** Structs as a C header: declarations for C and C++ programs that read and write the same bytes, and proofs of the offsets. */
import { isBranded } from "../brand.js";
import type { Fields, FieldType, Struct } from "../index.js";

const SCALARS: Record<string, string> = {
  u8: "uint8_t",
  i8: "int8_t",
  u16: "uint16_t",
  i16: "int16_t",
  u32: "uint32_t",
  i32: "int32_t",
  u64: "uint64_t",
  i64: "int64_t",
  f32: "float",
  f64: "double",
  bool: "bool",
};

/** Suffix of the macro that holds the hash of a struct. */
const HASH = "_HASH";

/** Words that cannot name a struct or a field: keywords of C and C++, and what the included headers and compilers define. */
const RESERVED = new Set(
  [
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl concept",
    "const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype default delete do double",
    "dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new",
    "noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict",
    "return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try",
    "typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq",
    "NULL offsetof unreachable size_t ptrdiff_t max_align_t nullptr_t linux unix i386",
    "ISTHMUS_ALIGNED ISTHMUS_ASSERT",
  ].flatMap((line) => line.split(" ")),
);
/** The types and limits of <stdint.h>, and names that belong to the compiler. */
const RESERVED_FORM =
  /^(?:u?int\w*_t|U?INT\w*|(?:SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT)_(?:MIN|MAX|WIDTH)|__.*|_[A-Z].*)$/;

/** Gives names of JavaScript different names of C. */
class Identifiers {
  readonly #given = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** @param suffix the name with this suffix must be free too, because it is declared as well */
  of(name: string, suffix = ""): string {
    const known = this.#given.get(name);
    if (known !== undefined) return known;
    let plain = name.replace(/[^A-Za-z0-9_]/g, "_");
    if (/^\d|^$/.test(plain) || RESERVED.has(plain)) plain = `_${plain}`;
    if (RESERVED_FORM.test(plain)) plain = `x${plain}`;
    let made = plain;
    for (let i = 2; this.#taken.has(made) || this.#taken.has(made + suffix); i++) made = `${plain}_${i}`;
    this.#given.set(name, made);
    this.#taken.add(made).add(made + suffix);
    return made;
  }
}

function comment(text: string): string {
  return `/* ${text.replaceAll("*/", "* /")} */`;
}

/** Declarations in the order that C needs: a struct is declared before the structs that contain it. */
class Header {
  readonly #names: Map<Struct<Fields>, string>;
  readonly #identifiers = new Identifiers();
  readonly #done = new Set<Struct<Fields>>();
  readonly lines: string[] = [];

  constructor(structs: [name: string, struct: Struct<Fields>][]) {
    this.#names = new Map(structs.map(([name, struct]) => [struct, this.#identifiers.of(name, HASH)]));
  }

  declare(struct: Struct<Fields>): string {
    const known = this.#names.get(struct);
    const name = known ?? this.#identifiers.of(`struct_${struct.hash.toString(16)}`, HASH);
    if (this.#done.has(struct)) return name;
    this.#done.add(struct);
    const fields = new Identifiers();
    const members: string[] = [];
    const proofs: string[] = [];
    for (const [field, type] of Object.entries(struct.fields)) {
      const member = fields.of(field);
      // Every struct is aligned to 8 bytes, whatever it holds; the first member declares that.
      const aligned = members.length === 0 ? "ISTHMUS_ALIGNED " : "";
      const original = member === field ? "" : ` ${comment(JSON.stringify(field))}`;
      members.push(`  ${aligned}${this.#member(member, type)};${original}`);
      const offset = struct.offsets[field];
      proofs.push(`ISTHMUS_ASSERT(offsetof(struct ${name}, ${member}) == ${offset}, "${name}.${member}");`);
    }
    this.lines.push(
      `#define ${name}${HASH} 0x${struct.hash.toString(16).padStart(8, "0")}u`,
      `struct ${name} {`,
      ...members,
      "};",
      ...proofs,
      `ISTHMUS_ASSERT(sizeof(struct ${name}) == ${struct.bytes}, "${name}");`,
      "",
    );
    return name;
  }

  #member(name: string, type: FieldType): string {
    if (isStruct(type)) return `struct ${this.declare(type)} ${name}`;
    if (typeof type !== "string") return `${this.#member(name, type[0])}[${type[1]}]`;
    const [, kind, max] = /^(utf8|bytes):(\d+)$/.exec(type) ?? [];
    if (kind === undefined) return `${SCALARS[type]} ${name}`;
    const [element, content] = kind === "utf8" ? ["char", "text"] : ["uint8_t", "bytes"];
    return `struct { uint32_t length; ${element} ${content}[${Math.ceil(Number(max) / 4) * 4}]; } ${name}`;
  }
}

/** Whether a type or an exported value is a struct. The module may have its own copy of this package, so any copy counts. */
export function isStruct(value: unknown): value is Struct<Fields> {
  return isBranded(value, "Struct");
}

/** Text of a header for these structs. */
export function cHeader(source: string, structs: [name: string, struct: Struct<Fields>][]): string {
  const header = new Header(structs);
  for (const [, struct] of structs) header.declare(struct);
  return [
    comment(`Generated by "isthmus layout" from ${source}. A HASH is what Isthmus checks.`),
    comment("For little-endian machines."),
    "#pragma once",
    "#include <stdbool.h>",
    "#include <stddef.h>",
    "#include <stdint.h>",
    "",
    "#ifdef __cplusplus",
    "#define ISTHMUS_ALIGNED alignas(8)",
    "#define ISTHMUS_ASSERT static_assert",
    "#else",
    "#define ISTHMUS_ALIGNED _Alignas(8)",
    "#define ISTHMUS_ASSERT _Static_assert",
    "#endif",
    "",
    ...header.lines,
  ].join("\n");
}
