/** The digests of keys are those of SipHash-2-4 with 128 bits: the core, and a model that the published vectors check. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CACHE_EVICT_LRU,
  CACHED_DATA,
  CACHED_DIGEST_OFFSET,
  CACHED_HEADER_BYTES,
} from "../../protocol/layout.js";
import { FILLS, type Fill, populate } from "../crash/cases/ground.js";
import { BYTES, NOW_MS, openCache } from "../lib/hosts/cache.js";
import { call, read, type Script, write } from "../lib/script.js";
import { crashLane } from "../lib/shipped.js";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotated = (value: bigint, bits: bigint): bigint => u64((value << bits) | (value >> (64n - bits)));

class Sip {
  #v: [bigint, bigint, bigint, bigint];

  constructor(low: bigint, high: bigint) {
    this.#v = [
      low ^ 0x736f6d6570736575n,
      high ^ 0x646f72616e646f6dn ^ 0xeen,
      low ^ 0x6c7967656e657261n,
      high ^ 0x7465646279746573n,
    ];
  }

  #rounds(count: number): void {
    let [a, b, c, d] = this.#v;
    for (let round = 0; round < count; round++) {
      a = u64(a + b);
      b = rotated(b, 13n) ^ a;
      a = rotated(a, 32n);
      c = u64(c + d);
      d = rotated(d, 16n) ^ c;
      a = u64(a + d);
      d = rotated(d, 21n) ^ a;
      c = u64(c + b);
      b = rotated(b, 17n) ^ c;
      c = rotated(c, 32n);
    }
    this.#v = [a, b, c, d];
  }

  digest(bytes: Uint8Array): string {
    const padded = Buffer.alloc((bytes.length & ~7) + 8);
    padded.set(bytes);
    padded[padded.length - 1] = bytes.length;
    for (let at = 0; at < padded.length; at += 8) {
      const word = padded.readBigUInt64LE(at);
      this.#v[3] ^= word;
      this.#rounds(2);
      this.#v[0] ^= word;
    }
    const result = Buffer.alloc(16);
    this.#v[2] ^= 0xeen;
    this.#rounds(4);
    result.writeBigUInt64LE(this.#v.reduce((sum, word) => sum ^ word));
    this.#v[1] ^= 0xddn;
    this.#rounds(4);
    result.writeBigUInt64LE(
      this.#v.reduce((sum, word) => sum ^ word),
      8,
    );
    return result.toString("hex");
  }
}

const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);

test("the model gives the published vectors", () => {
  const digest = (length: number): string =>
    new Sip(0x0706050403020100n, 0x0f0e0d0c0b0a0908n).digest(counting(length));
  assert.is(digest(0), "a3817f04ba25a8e66df67214c7550293");
  assert.is(digest(1), "da87c1d86b99af44347659119b22fc45");
});

test("the core gives what the model gives, for a key in the scratch and for one in words", () => {
  const lane = crashLane();
  populate(lane, FILLS[0] as Fill);
  const one = lane.play(0, openCache(lane.view));
  const seed = 0x89abcdef01234567n; // of openCache
  const other = rotated(u64(seed * 0x9e3779b97f4a7c15n), 32n);

  function* stored(keyBytes: number): Script<string> {
    const given = [one.cache, BYTES, CACHE_EVICT_LRU, keyBytes, 1, 8, CACHED_DATA, 0, NOW_MS];
    const at = (yield* call("cacheClaim", ...given)) >>> 0;
    assert.ok(at > one.cache);
    const digest = Buffer.from(yield* read(at + CACHED_DIGEST_OFFSET, 16)).toString("hex");
    const key = yield* read(at + CACHED_HEADER_BYTES + 8, keyBytes);
    yield* call("cacheAbort");
    return `${digest} ${Buffer.from(key).toString("hex")}`;
  }

  function* inScratch(bytes: Uint8Array): Script<string> {
    yield* write((yield* call("scratch")) >>> 0, bytes);
    yield* call("cacheKey", one.cache, bytes.length);
    return yield* stored(bytes.length);
  }

  function* inWords(bytes: Uint8Array): Script<string> {
    const padded = Buffer.alloc((bytes.length & ~7) + 8);
    padded.set(bytes);
    yield* call("cacheKeyBegin", one.cache);
    for (let at = 0; at + 8 < padded.length; at += 8)
      yield* call("cacheKeyWord", padded.readInt32LE(at), padded.readInt32LE(at + 4));
    const last = padded.length - 8;
    yield* call("cacheKeyEnd", padded.readInt32LE(last), padded.readInt32LE(last + 4), bytes.length);
    return (yield* stored(bytes.length)).slice(0, 32);
  }

  for (let length = 0; length < 65; length++) {
    const bytes = counting(length);
    const expected = new Sip(seed, other).digest(bytes);
    assert.is(lane.play(0, inScratch(bytes)), `${expected} ${Buffer.from(bytes).toString("hex")}`);
    assert.is(lane.play(0, inWords(bytes)), expected);
  }
});

test.run();
