/**
 * Which constants of `protocol/layout.ts` belong together: the tables of the documents and the structures of the C header show
 * one group each. A constant belongs to the group with the longest name that its own name begins with.
 */
import type { Constant } from "./layout-source.js";

const words = (text: string): string[] => text.trim().split(/\s+/);

/** What places or interprets bytes that every participant uses, whatever objects it knows: the fingerprint covers these. */
const common = words(`
  MAGIC ABI HEADER STATE SIZE SEGMENT DIRECTORY WAITERS HEAP BLOCK JOURNAL PARTS PARTICIPANT PARTICIPANTS SLOT TOKEN SHORT_TOKEN
  ENTRY KERNEL_LOCK WRITE_LOCK
`);
/** What one kind of object consists of: its OBJECT_VERSION_… stands for it. */
const kinds = words(
  `RING RECORD OWNER LATEST LOCK SIGNAL SEMAPHORE EVENT QUEUE CELL MESSAGE BROADCAST TOPIC CACHE SHARD CACHED
  VALUES VALUE CHUNKS LIST DICT LEDGER HANDLE SERVICE CALL`,
);
/** Numbers of kinds, numbers for display, and what passes between a core and its own host. */
const others = words("OBJECT OBJECT_VERSION RUNTIME CHECK RESULT FLAG ANSWER SUSPECT END OPEN NEXT");
/** The limits by which the parts of a segment are placed or understood; the others bind only the one who reads them. */
const commonLimits = words(`
  PAGE_BYTES PARTICIPANTS_MAX PARTICIPANTS_STEP DIRECTORY_BYTES_PER_ENTRY DIRECTORY_ENTRIES_MIN DIRECTORY_ENTRIES_MAX
  JOURNAL_BYTES_PER_ENTRY JOURNAL_ENTRIES_MIN JOURNAL_ENTRIES_MAX HEAP_BYTES_MIN OBJECT_NAME_BYTES_MAX
`);

/** What its name would put in the wrong group. */
const exceptions: Record<string, string> = {
  HEAP_OFFSET: "PARTS",
  PARTICIPANTS_OFFSET: "PARTS",
  OBJECT_ALIGNMENT: "PARTS",
};

function groupOf(name: string): string {
  const begins = [...common, ...kinds, ...others].filter(
    (group) => name === group || name.startsWith(`${group}_`),
  );
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

/** The constants on which all participants of a segment must agree. */
export function agreed(
  layout: Record<string, number>,
  limits: Record<string, number>,
): Record<string, number> {
  const places = Object.entries(layout).filter(([name]) => common.includes(groupOf(name)));
  const bounds = commonLimits.map((name): [string, number] => {
    const value = limits[name];
    if (value === undefined) throw new Error(`${name} is no limit`);
    return [name, value];
  });
  return Object.fromEntries([...places, ...bounds]);
}
