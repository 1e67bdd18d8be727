/**
 * Which constants of `protocol/layout.ts` belong together: the tables of the documents and the structures of the C header show
 * one group each. A constant belongs to the group with the longest name that its own name begins with.
 */
import type { Constant } from "./layout-source.js";

const groups = [
  ...[
    "MAGIC",
    "ABI",
    "HEADER",
    "STATE",
    "SIZE",
    "SEGMENT",
    "DIRECTORY",
    "WAITERS",
    "HEAP",
    "BLOCK",
    "CHECK",
    "JOURNAL",
  ],
  ...[
    "PARTICIPANT",
    "PARTICIPANTS",
    "SLOT",
    "RUNTIME",
    "ENTRY",
    "OBJECT",
    "RING",
    "RECORD",
    "FLAG",
    "OWNER",
    "SUSPECT",
  ],
  ...[
    "END",
    "LATEST",
    "LOCK",
    "SIGNAL",
    "SEMAPHORE",
    "EVENT",
    "KERNEL_LOCK",
    "TOKEN",
    "RESULT",
    "ANSWER",
    "SHORT_TOKEN",
  ],
];

/** What its name would put in the wrong group. */
const exceptions: Record<string, string> = {
  HEAP_OFFSET: "PARTS",
  PARTICIPANTS_OFFSET: "PARTS",
  OBJECT_ALIGNMENT: "PARTS",
};

function groupOf(name: string): string {
  const begins = groups.filter((group) => name === group || name.startsWith(`${group}_`));
  const group = exceptions[name] ?? begins.sort((one, other) => other.length - one.length)[0];
  if (!group) throw new Error(`${name} belongs to no group of scripts/layout-groups.ts`);
  return group;
}

/** The constants of each group, in the order of the source. */
export function grouped(constants: Constant[]): Map<string, Constant[]> {
  const found = new Map<string, Constant[]>();
  for (const constant of constants) {
    const group = groupOf(constant.name);
    found.set(group, [...(found.get(group) ?? []), constant]);
  }
  return found;
}
