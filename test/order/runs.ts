/**
 * The order of writes that the core asks for: for each function of a Wasm file its writes, in runs between which control may go
 * elsewhere. Within a run a compiler sees nothing but the writes themselves that would keep them in order.
 */
import binaryen from "binaryen";

/** A write: how many bytes, at which constant offset beside the address; or an atomic one, whose offset is part of the address. */
export interface Write {
  bytes: number;
  /** Undefined when it is atomic. */
  offset: number | undefined;
}

export interface FunctionWrites {
  index: number;
  /** As it is exported, or its number. */
  name: string;
  runs: Write[][];
}

export function same(one: Write | undefined, other: Write | undefined): boolean {
  return one?.bytes === other?.bytes && one?.offset === other?.offset;
}

export function text({ bytes, offset }: Write): string {
  return offset === undefined ? `atomic ${bytes * 8}` : `${bytes * 8} bits at +${offset}`;
}

const STORE = /^(i32|i64|f32|f64)\.(atomic\.)?(store|rmw)(8|16|32)?(\.\w+)?(?: offset=(\d+))?/;
/** Where control may leave the line, or come back to it. */
const CONTROL = /^(block|loop|if|else|end|br|br_if|br_table|call|call_indirect|return|unreachable|memory\.)/;

function writeOf(line: string): Write | undefined {
  const found = STORE.exec(line);
  if (!found) return undefined;
  const [, type, atomic, kind, narrow, , offset] = found;
  const bytes = narrow ? Number(narrow) / 8 : /64/.test(type as string) ? 8 : 4;
  return { bytes, offset: atomic || kind === "rmw" ? undefined : Number(offset ?? 0) };
}

/** Of each write in the order of the text, its address when it is a constant, else 0: compilers add it to the offset. */
function* constantAddresses(folded: string): Generator<number> {
  const lines = folded.split("\n").map((line) => line.trim());
  for (const [index, line] of lines.entries()) {
    if (!writeOf(line.replace(/^\(/, ""))) continue;
    yield Number(/^\(i32\.const (\d+)\)/.exec(lines[index + 1] as string)?.[1] ?? 0);
  }
}

/** The functions of a core that write at all. */
export function writesOf(wasm: Uint8Array): FunctionWrites[] {
  const module = binaryen.readBinary(wasm);
  module.setFeatures(binaryen.Features.All);
  const lines = module.emitStackIR().split("\n");
  const addresses = constantAddresses(module.emitText());
  module.dispose();
  const names = new Map<number, string>();
  const functions: FunctionWrites[] = [];
  let current: FunctionWrites | undefined;
  let run: Write[] = [];
  const cut = (): void => {
    if (run.length > 0) current?.runs.push(run);
    run = [];
  };
  for (const line of lines) {
    const exported = /^ \(export "(\w+)" \(func \$(\d+)\)\)/.exec(line);
    if (exported) names.set(Number(exported[2]), exported[1] as string);
    const begins = /^ \(func \$(\d+) /.exec(line);
    if (begins) {
      cut();
      const index = Number(begins[1]);
      current = { index, name: names.get(index) ?? `function ${index}`, runs: [] };
      functions.push(current);
    }
    const instruction = line.trim();
    const write = writeOf(instruction);
    if (write) {
      const address = addresses.next().value ?? 0;
      run.push(write.offset === undefined ? write : { ...write, offset: write.offset + address });
    } else if (CONTROL.test(instruction)) cut();
  }
  cut();
  return functions.filter(({ runs }) => runs.length > 0);
}
