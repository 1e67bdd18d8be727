/** Limits of the protocol. Every loop of the core is bounded by one of them. */

/** One Wasm page; the size of a segment is a multiple of it. */
export const PAGE_BYTES = 65536;
/** 4 GiB: what a 32-bit Wasm memory can address. */
export const SEGMENT_PAGES_MAX = 65536;

/** Slots of the smallest table of participants. */
export const PARTICIPANTS_MIN = 64;
/** Slots of the largest table of participants. */
export const PARTICIPANTS_MAX = 1024;
/** The number of slots is a multiple of this. */
export const PARTICIPANTS_STEP = 64;

/** The directory has one entry per this many bytes of the segment, within the two bounds that follow. */
export const DIRECTORY_BYTES_PER_ENTRY = 4096;
/** Entries of the smallest directory. */
export const DIRECTORY_ENTRIES_MIN = 16;
/** Entries of the largest directory. */
export const DIRECTORY_ENTRIES_MAX = 1024;

/** The journal has one entry per this many bytes of the segment, within the two bounds that follow. */
export const JOURNAL_BYTES_PER_ENTRY = 256;
/** Entries of the smallest journal. */
export const JOURNAL_ENTRIES_MIN = 256;
/** Entries of the largest journal. */
export const JOURNAL_ENTRIES_MAX = 65536;
/** No single change of the heap or the directory logs more words than this. */
export const JOURNAL_ENTRIES_PER_CHANGE = 96;

/** A segment with fewer bytes for blocks than this is refused. */
export const HEAP_BYTES_MIN = 1024;

/** Largest alignment of a block. */
export const BLOCK_ALIGNMENT_MAX = 65536;

/** The longest name of an object: bytes in UTF-8. */
export const OBJECT_NAME_BYTES_MAX = 80;
/** Bytes of the longest description of a layout that is kept in a segment. */
export const LAYOUT_TEXT_BYTES_MAX = 4096;
/** The longest name of a segment: characters. */
export const SEGMENT_NAME_MAX = 200;

/** Capacity of the smallest ring: a record of up to 56 bytes fits. */
export const RING_CAPACITY_MIN = 64;
/** Capacity of the largest ring: the bytes of the ring fit into 31 bits. */
export const RING_CAPACITY_MAX = 0x7fff0000;
/** A consumer publishes its tail at the latest after this many records … */
export const RING_HELD_RECORDS_MAX = 64;
/** … or when it holds back capacity >> this many bytes. */
export const RING_HELD_SHIFT = 3;

/** Capacity of the smallest broadcast. */
export const BROADCAST_CAPACITY_MIN = 256;
/** Capacity of the largest broadcast: its bytes fit into 31 bits. */
export const BROADCAST_CAPACITY_MAX = 0x7fff0000;
/** How often a subscriber looks for a record again when the publisher has overwritten it meanwhile. */
export const BROADCAST_READS_MAX = 1000;
/** The largest record of a broadcast takes capacity >> this many bytes, with its header. */
export const BROADCAST_SHARE_SHIFT = 2;

/** Messages of the largest queue. */
export const QUEUE_CAPACITY_MAX = 0x100000;
/** Bytes of the largest message of a queue. */
export const QUEUE_MESSAGE_BYTES_MAX = 0x10000000;

/** Bytes of the longest key of a dictionary. */
export const VALUE_KEY_BYTES_MAX = 0x100000;
/** Values and entries that one call of a participant frees of what nobody refers to any more, beyond what it was called for. */
export const VALUES_FREED_PER_CHANGE = 2;
/** Bytes of the shards of the smallest cache. */
export const CACHE_BYTES_MIN = 4096;
/** Bytes of the shards of the largest cache. */
export const CACHE_BYTES_MAX = 0x7fff0000;
/** A cache has one shard for so many bytes (1 << this), rounded down to a power of two … */
export const CACHE_SHARD_SHIFT = 20;
/** … but not more than this. */
export const CACHE_SHARDS_MAX = 16;
/** The largest entry of a cache takes (bytes of the log of a shard) >> this many bytes. */
export const CACHE_SHARE_SHIFT = 3;
/** Bytes of the longest key of a cache. */
export const CACHE_KEY_BYTES_MAX = 65536;

/** Bytes of the largest request, and of the largest response, of a service. */
export const SERVICE_MESSAGE_BYTES_MAX = 0x10000000;

/** The core copies values of up to this many bytes, word by word: with plain stores into a slot, with atomic loads from it. */
export const LATEST_SMALL_BYTES_MAX = 256;
/** Slots of a value that the core copies. */
export const LATEST_SMALL_SLOTS = 2;
/** Slots of a larger value. */
export const LATEST_LARGE_SLOTS = 4;
/** The largest value: bytes. */
export const LATEST_BYTES_MAX = 0x10000000;

/** Largest value of a counter, and -COUNTER_MAX the smallest: 2^53 - 1, exact in every host. */
export const COUNTER_MAX = 0x1fffffffffffff;

/** How long a free write lock waits for the participant whose turn it is. Milliseconds. */
export const TURN_MS = 10;
/** The longest sleep before a waiter checks again, and checks whether its peer is alive. Milliseconds. */
export const RECHECK_MS = 100;
/** A participant whose heartbeat is older counts as stalled (never as dead). Milliseconds. */
export const STALLED_MS = 3000;
/** How often an environment writes its heartbeat. Milliseconds. */
export const HEARTBEAT_MS = 1000;
/** How long a call without a timeout waits for a live participant that has the write lock. Milliseconds. */
export const WRITE_LOCK_TIMEOUT_MS = 5000;
/** How long a leaving participant waits for others that create, join or leave. Milliseconds. */
export const LEAVE_TIMEOUT_MS = 50;
/** How long a write of a latest value waits for a live participant that is in the middle of another one. Milliseconds. */
export const LATEST_WRITE_TIMEOUT_MS = 50;
/** How long a change of a cache waits for a live participant that is in the middle of another one. Milliseconds. */
export const CACHE_WRITE_TIMEOUT_MS = 500;
/** How often a reader of a latest value looks again when writers were faster. */
export const LATEST_READS_MAX = 10000;
