/** Bugs in ts/cache. */
import { type Bug, inSource } from "../bug.js";

const cache = inSource("ts/cache/cache.ts");
const store = inSource("ts/cache/store.ts");
const keys = inSource("ts/cache/keys.ts");
const parameters = inSource("ts/cache/parameters.ts");
const stats = inSource("ts/cache/stats.ts");
const log = inSource("assembly/cache-log.ts");

const TESTS = "ts/cache/cache";

export const BUGS: Bug[] = [
  log(
    "entries that are used stay although there is no room for a new one",
    "(!again && isWorthMoving(oldest, bytes, moved))",
    "isWorthMoving(oldest, bytes, moved)",
    "ts/cache/room > a cache of 1 MiB full of values of 119000 bytes",
  ),
  log(
    "replaced values take the room of entries that nobody reads",
    "if (live + bytes <= u64(logBytes - (logBytes >>> ROOM_SHIFT))) return moved < TIDIED_MAX;",
    "if (live + bytes == 0) return moved < TIDIED_MAX;",
    "ts/cache/room > new values of one size under keys that are there evict nothing",
  ),
  log(
    "few entries in a row that are used can stay",
    "const MOVES_MAX: u32 = 256;",
    "const MOVES_MAX: u32 = 32;",
    "ts/cache/room > what nobody used goes first",
  ),
  cache(
    "who computes a value that is thrown keeps the key",
    "      this.#store.giveUp(key, ticket);\n",
    "",
    `${TESTS} > a value is computed once`,
  ),
  cache(
    "a computed value is stored in any case",
    "this.#set(key, value, ttlMs, ticket);",
    "this.#set(key, value, ttlMs, 0);",
    `${TESTS} > a key that is deleted or set while`,
  ),
  cache(
    "a Buffer as a key is not copied",
    'copyOf(bytesOf("key", key))',
    'bytesOf("key", key).slice()',
    "ts/cache/cache > a key of bytes is the one that it was",
  ),
  cache(
    "each task that waits for one value looks for it",
    "      queue,\n      attempt",
    "      attempt",
    "ts/wait/many > however many wait for a value that another task computes",
  ),
  keys(
    "tasks that want the same bytes wait in one queue with those that want others",
    "Array.from(keyBytesOf(key))",
    "keyBytesOf(key).length",
    "ts/cache/cache > tasks wait for keys of equal length apart",
  ),
  cache(
    "a value that is there leaves the event loop no turn",
    "return await inTurn(found);",
    "return found;",
    "ts/wait/turn > timers and files go on",
  ),
  store(
    "a long key is not written",
    "if (this.#long) attachment.u8.set(",
    "if (this.#long?.length === 1) attachment.u8.set(",
    `${TESTS} > keys of any content`,
  ),
  store(
    "one that waits takes a key without a value for one that has a value",
    'return result === 0 ? "ours" : result === FLAG_PRESENT ?',
    'return result === 0 ? "ours" : result !== FLAG_PRESENT ?',
    `${TESTS} > a value is computed once`,
  ),
  store(
    "texts and bytes are the same keys",
    "      this.#text = 0;\n",
    "      this.#text = 1;\n",
    `${TESTS} > keys of any content`,
  ),
  keys(
    "half of a surrogate pair is replaced",
    "if (code > 0xffff) index++;",
    "if (code >= 0xd800) index++;",
    `${TESTS} > keys of any content`,
  ),
  parameters(
    "the time to live of the existing cache is forgotten",
    "ttlMs: ttlMs === undefined ? found.ttlMs : ttl,",
    "ttlMs: ttl,",
    `${TESTS} > other parameters`,
  ),
  stats(
    "the ratio of hits counts hits alone",
    "hits === 0 ? 0 : hits / (hits + misses);",
    "hits === 0 ? 0 : hits / Math.max(hits, misses);",
    `${TESTS} > what was used stays`,
  ),
];
