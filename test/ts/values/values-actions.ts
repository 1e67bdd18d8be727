/** What another process does with shared values. */
import { type Dict, type List, Segment, type Shareable, type SharedValue } from "isthmus";

let segment: Segment;
let root: Dict;
const kept: SharedValue[] = [];

export function open(name: string): unknown {
  segment = Segment.open(name);
  root = segment.rootValue as Dict;
  return root.toJSON();
}

export function set(key: string, value: Shareable): void {
  root.set(key, value);
}

/** Values that nobody else knows of. */
export function keep(count: number): void {
  for (let index = 0; index < count; index++) kept.push(segment.share({ index, list: ["text", [index]] }));
}

export function fill(prefix: string, count: number): void {
  const list = root.get("list") as List;
  for (let index = 0; index < count; index++) {
    root.set(`${prefix} ${index}`, index);
    list.push(`${prefix} ${index}`);
  }
}

/** Puts one entry of the root into another one, which is a list. Whether that would have been a circle. */
export function putInto(from: string, to: string): boolean {
  try {
    (root.get(to) as List).push(root.get(from) as List);
    return false;
  } catch (error) {
    if (error instanceof TypeError) return true;
    throw error;
  }
}
