/** Writers and readers of a value whose every part says the same number. */
import { IsthmusError, type Latest, type Struct, struct } from "isthmus";
import { opened } from "../lib/actions.js";

export { open } from "../lib/actions.js";

const small = { number: "f64", numbers: ["f64", 4], bytes: "bytes:64" } as const;
const large = { number: "f64", numbers: ["f64", 4], bytes: "bytes:20000" } as const;
type Fields = typeof small;

interface Value {
  number: number;
  numbers: number[];
  bytes: Uint8Array;
}

function latestOf(name: string, size: string): Latest<Fields> {
  const layout = size === "small" ? struct(small) : (struct(large) as unknown as Struct<Fields>);
  return opened(name).latest(`litmus-${size}`, layout);
}

function made(number: number, length: number): Value {
  return { number, numbers: [number, number, number, number], bytes: new Uint8Array(length).fill(number) };
}

/** The number that the whole value says; throws when two parts differ. */
export function whole({ number, numbers, bytes }: Value): number {
  const other = numbers.find((part) => part !== number);
  if (other !== undefined) throw new Error(`a mix of value ${number} and value ${other}`);
  const byte = bytes.findIndex((part) => part !== (number & 255));
  if (byte >= 0) throw new Error(`a mix: byte ${byte} of value ${number} is ${bytes[byte]}`);
  return number;
}

export function writeOnce(name: string, size: string): void {
  latestOf(name, size).write(made(0, size === "small" ? 64 : 20000));
}

/** Writes between two turns of the event loop. */
const WRITES = 100;

let stopped = false;

/** Writes until `stopWriting`; gives how often. */
export async function writeUntilStopped(name: string, size: string): Promise<number> {
  const latest = latestOf(name, size);
  const length = size === "small" ? 64 : 20000;
  let number = 0;
  for (stopped = false; !stopped; ) {
    for (let i = 0; i < WRITES; i++) latest.write(made(++number, length));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return number;
}

export function stopWriting(): void {
  stopped = true;
}

/** Reads so often, and until so many different values were seen; none is torn, none older than one seen before. Gives how many. */
export function readDifferent(name: string, size: string, reads: number, wanted: number): number {
  const latest = latestOf(name, size);
  let different = 0;
  let newest = -1;
  for (let read = 0; read < reads || different < wanted; read++) {
    const value = readUnlessOvertaken(latest);
    if (value === undefined) continue;
    const number = whole(value);
    if (number < newest) throw new Error(`value ${number} came after ${newest}`);
    if (number > newest) different++;
    newest = number;
  }
  return different;
}

/** A reader that is overtaken again and again may be told so. */
function readUnlessOvertaken(latest: Latest<Fields>): Value | undefined {
  try {
    return latest.read();
  } catch (error) {
    if (error instanceof IsthmusError && error.code === "BUSY") return undefined;
    throw error;
  }
}
