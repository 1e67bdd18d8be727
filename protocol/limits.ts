/** Limits of the protocol. Every loop of the core is bounded by one of them. */

/** One Wasm page; the size of a segment is a multiple of it. */
export const PAGE_BYTES = 65536;
/** 4 GiB: what a 32-bit Wasm memory can address. */
export const SEGMENT_PAGES_MAX = 65536;

/** Slots of the smallest table of participants. */
export const PARTICIPANTS_MIN = 64;
/** Slots of the largest. */
export const PARTICIPANTS_MAX = 1024;
/** Participants come in steps of this many. */
export const PARTICIPANTS_STEP = 64;

/** Named objects: one per this many bytes of the segment, within the two bounds. */
export const DIRECTORY_BYTES_PER_ENTRY = 4096;
/** The smallest directory. */
export const DIRECTORY_ENTRIES_MIN = 16;
/** The largest directory. */
export const DIRECTORY_ENTRIES_MAX = 1024;

/** The journal has one entry per this many bytes of the segment, within the two bounds. */
export const JOURNAL_BYTES_PER_ENTRY = 256;
/** The smallest journal. */
export const JOURNAL_ENTRIES_MIN = 256;
/** The largest journal. */
export const JOURNAL_ENTRIES_MAX = 65536;
/** No single change of the heap or the directory logs more words than this. */
export const JOURNAL_ENTRIES_PER_CHANGE = 96;

/** A segment with less room for blocks than this is refused. */
export const HEAP_BYTES_MIN = 1024;

/** Largest alignment of a block. */
export const BLOCK_ALIGNMENT_MAX = 65536;

/** Bytes of an object's name in UTF-8. */
export const OBJECT_NAME_BYTES_MAX = 80;
/** Bytes of the longest description of a layout that is kept in a segment. */
export const LAYOUT_TEXT_BYTES_MAX = 4096;
/** Characters of a segment's name. */
export const SEGMENT_NAME_MAX = 200;

/** Smallest ring; one record of a few bytes fits. */
export const RING_CAPACITY_MIN = 64;
/** Largest ring: its bytes fit into 31 bits. */
export const RING_CAPACITY_MAX = 0x7fff0000;
/** A consumer publishes what it released at the latest after this many records … */
export const RING_HELD_RECORDS_MAX = 64;
/** … or when it holds back capacity >> this many bytes. */
export const RING_HELD_SHIFT = 3;

/** Values up to this many bytes are copied word by word, atomically, on both sides. */
export const LATEST_SMALL_BYTES_MAX = 256;
/** Copies of a value that the core copies word by word. */
export const LATEST_SMALL_SLOTS = 2;
/** Copies of a larger value. */
export const LATEST_LARGE_SLOTS = 4;
/** Largest value. */
export const LATEST_BYTES_MAX = 0x10000000;

/** Largest value of a counter, and -COUNTER_MAX the smallest: 2^53 - 1, exact in every host. */
export const COUNTER_MAX = 0x1fffffffffffff;

/** Longest sleep before a waiter looks again whether its peer still lives. Milliseconds. */
export const RECHECK_MS = 100;
/** A participant whose heartbeat is older counts as stalled (never as dead). Milliseconds. */
export const STALLED_MS = 3000;
/** How often an environment writes its heartbeat. Milliseconds. */
export const HEARTBEAT_MS = 1000;
