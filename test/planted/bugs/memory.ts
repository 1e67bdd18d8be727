/** Bugs in ts/memory, in ts/struct, in what both share with rings, and in the heap of the core. */
import { type Bug, inSource } from "../bug.js";

const core = inSource("assembly/memory.ts");
const coreHeap = inSource("assembly/heap.ts");
const coreBlocks = inSource("assembly/blocks.ts");
const block = inSource("ts/memory/block.ts");
const generation = inSource("ts/memory/generation.ts");
const heap = inSource("ts/memory/heap.ts");
const transaction = inSource("ts/memory/transaction.ts");
const synchronous = inSource("ts/synchronous.ts");
const view = inSource("ts/memory/view.ts");
const walk = inSource("ts/memory/walk.ts");
const root = inSource("ts/memory/root.ts");
const writeLock = inSource("ts/memory/write-lock.ts");
const arrays = inSource("ts/struct/arrays.ts");
const codecs = inSource("ts/struct/codecs.ts");
const hash = inSource("ts/struct/hash.ts");
const reader = inSource("ts/struct/reader.ts");
const scalars = inSource("ts/struct/scalars.ts");
const staging = inSource("ts/struct/staging.ts");
const struct = inSource("ts/struct/struct.ts");
const writer = inSource("ts/struct/writer.ts");

export const BUGS: Bug[] = [
  core(
    "a freed root stays root",
    "if (result == 0 && heapRoot() == offset) changeRoot(0);",
    "if (result != 0 && heapRoot() == offset) changeRoot(0);",
    "ts/memory/root",
  ),
  coreHeap(
    "a look at the heap does not see that somebody has the write lock",
    "if (owner != 0 && (owner != self || changing)) return HEAP_CHANGING;",
    "if (owner == self && changing) return HEAP_CHANGING;",
    "ts/memory/heap-check",
  ),
  coreBlocks(
    "an aligned request is refused where a block fits by chance",
    "if (whole >= size && whole - size >= gap) return block;",
    "if (whole >= enough && whole - size >= gap) return block;",
    "crash/heap-model",
  ),
  block(
    "a Buffer over a block is made by the constructor that prints a warning",
    'typeof isBuffer === "function"',
    'typeof isBuffer === "string"',
    "ts/memory/typed",
  ),
  block(
    "the last byte of a write is not in the journal",
    "beforeWriting(this.#attachment, this.offset + at, length);",
    "beforeWriting(this.#attachment, this.offset + at, length - 1);",
    "ts/memory/blocks > a write into a block is undone",
  ),
  block(
    "a block that was freed is used",
    "if (generationAt(attachment, this.offset) !== this.generation) throw this.#gone();",
    "",
    "ts/memory/blocks",
  ),
  block(
    "a write may end beyond the block",
    "if (length > this.byteLength - at) {",
    "if (length > this.byteLength) {",
    "ts/memory/heap.test",
  ),
  generation(
    "the generation is read from the size",
    "+ BLOCK_GENERATION_OFFSET",
    "+ 0 * BLOCK_GENERATION_OFFSET",
    "ts/memory/blocks",
  ),
  heap(
    "an alignment of 24 is taken",
    "if ((alignment & (alignment - 1)) !== 0)",
    "if (alignment < 0)",
    "arguments/arguments",
  ),
  heap(
    "blocks come with what was in them",
    'flag("zero", zero, true) ? 1 : 0',
    'flag("zero", zero, true) ? 0 : 0',
    "ts/memory/heap.test",
  ),
  transaction(
    "a body that was cut off goes on for ever",
    "    attachment.transaction?.undo();",
    "",
    "ts/memory/cut-off",
  ),
  transaction(
    "the lock of a transaction is given back before its changes are undone",
    "if (this.#attachment.transaction === this) this.over = true;",
    "if (this.#attachment.closed) this.over = true;",
    "ts/memory/cut-off",
  ),
  transaction(
    "a transaction that threw is kept",
    "      this.#end(false);",
    "      this.#end(true);",
    "ts/memory/transaction.test > a function that throws leaves everything",
  ),
  synchronous(
    "an async function is taken",
    "if (RUNS_LATER.test(kind))",
    'if (kind === "")',
    "ts/ring/forms",
  ),
  view(
    "a field is written without the journal",
    "place.changing(offset, codec.bytes);",
    "",
    "ts/memory/blocks > fields of a view are undone",
  ),
  view(
    "a struct is written without the journal",
    "place.changing(offset, bytes.length);",
    "",
    "ts/memory/transaction.test > a function that throws leaves everything",
    "ts/memory/typed",
  ),
  view(
    "a field is read at the start of the struct",
    "codec.read(place.memory, place.offset + offset)",
    "codec.read(place.memory, place.offset + offset * 0)",
    "ts/memory/typed",
  ),
  walk(
    "a list is made while the heap changes",
    "if (core.heapLook() >>> 0 !== changes) continue;",
    "",
    "ts/memory/blocks",
  ),
  root(
    "a block of another segment becomes the root",
    "!attachment.liesUnder(block.buffer)",
    "attachment.readOnly",
    "ts/memory/root",
    "ts/memory/heap.test",
    "ts/memory/blocks",
  ),
  writeLock(
    "a thread waits for a transaction of its own, of another opener",
    "timeoutMs === Infinity && attachment.transactsElsewhere()",
    "timeoutMs === 0 && attachment.transactsElsewhere()",
    "ts/memory/transaction.test > a change through another opener",
  ),
  writeLock(
    "the write lock is waited for 50 ms",
    "Infinity ? WRITE_LOCK_TIMEOUT_MS :",
    "Infinity ? WRITE_LOCK_TIMEOUT_MS / 100 :",
    "ts/memory/transaction.test > a change that blocks its thread waits",
  ),
  writeLock(
    "many short changes are taken for one that does not end",
    "changes === 0\n",
    "changes >= 0\n",
    "ts/memory/turns",
  ),
  writeLock(
    "a thread that waits for the write lock tries all the time",
    "const TRIES_MS = 1;",
    "const TRIES_MS = 5000;",
    "ts/memory/turns > a thread that waits for a long",
  ),
  writeLock(
    "changes of one opener that wait stand in no queue",
    "change.queue = attachment.changes;",
    "",
    "ts/memory/turns > a change that waits is not overtaken by a try of its own opener",
  ),
  arrays("floats are read as integers", "f32: Float32Array,", "f32: Int32Array,", "ts/memory/typed"),
  codecs(
    "a typed array that cannot hold the elements is filled",
    "return holds(typeName(target), elementType) && trueLength",
    "return trueLength",
    "ts/latest/claim",
  ),
  codecs(
    "a text may be longer than its field",
    "if (length > max)",
    "if (length > capacity)",
    "ts/struct/struct",
  ),
  codecs("what a shorter text leaves is not cleared", "target.fill(0, length);", "", "ts/struct/struct"),
  codecs(
    "half a surrogate pair is taken",
    "if (/\\p{Surrogate}/u.test(value)) throw",
    'if (value === "\\0") throw',
    "ts/struct/struct",
  ),
  hash("the hash is signed", "0x01000193) >>> 0", "0x01000193) | 0", "ts/struct/struct"),
  reader(
    "the reader without code generation ignores its offset",
    "field.read(view, offset + field.offset)",
    "field.read(view, field.offset + offset * 0)",
    "ts/struct/readers > a struct is read at its offset",
  ),
  reader(
    "a field that objects inherit is assigned in new objects",
    "inherits ? literal(fields, at, key) : constructed",
    "inherits ? constructed(fields, at, key) : constructed",
    "ts/struct/names",
  ),
  reader(
    "__proto__ becomes a prototype",
    "if (name === SETTER) define(",
    'if (name === "") define(',
    "ts/struct/readers > names: passes without",
  ),
  writer(
    "what does not fit is written",
    "if (fits${i}(value${i})) put",
    "if (true || fits${i}(value${i})) put",
    "ts/struct/struct",
  ),
  writer(
    "the writer without code generation ignores its offset",
    "write(view, offset + at, value[name]",
    "write(view, offset * 0 + at, value[name]",
    "ts/struct/readers > a struct is read at its offset",
  ),
  scalars(
    "integers are big-endian",
    "view.setUint16(at, value, true)",
    "view.setUint16(at, value, false)",
    "ts/struct/struct",
  ),
  scalars(
    "a bigint of 65 bits is taken",
    "BigInt.asUintN(64, value)) === value",
    "BigInt.asUintN(65, value)) === value",
    "ts/struct/struct",
  ),
  staging(
    "the bytes of a value are used while they are written",
    "this.#idle = undefined;",
    "",
    "ts/struct/untouched > that writes to the same place",
  ),
  struct(
    "a struct of more than 2^28 bytes is taken",
    "if (end > FIELD_BYTES_MAX)",
    "if (end > 2 * FIELD_BYTES_MAX)",
    "ts/struct/names",
  ),
  struct(
    "a struct is read beyond its view",
    "if (offset + this.bytes > bytes.length) {",
    "if (offset > bytes.length) {",
    "ts/struct/untouched > a struct is read and written inside",
  ),
];
