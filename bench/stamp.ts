/**
 * What a message carries: each word (`stride` 1), or one word in `stride`, is the message's sequence plus the word's place.
 * The reader adds them up. bench/native/stamp.hpp does the same, loop for loop.
 */
import type { Plan } from "./contest.js";

/** Words per turn of the dense loops, and half as many in the others: loops that do one word a turn would be half of what is measured. */
const UNROLLED = 8;

/** Writes the words of a message, or one in `stride` of them: a multiple of UNROLLED words. */
export function stamp(words: Int32Array, stride: number, sequence: number): void {
  if (stride !== 1) {
    stampSome(words, stride, sequence);
    return;
  }
  for (let i = 0; i < words.length; i += UNROLLED) {
    const first = sequence + i;
    words[i] = first;
    words[i + 1] = first + 1;
    words[i + 2] = first + 2;
    words[i + 3] = first + 3;
    words[i + 4] = first + 4;
    words[i + 5] = first + 5;
    words[i + 6] = first + 6;
    words[i + 7] = first + 7;
  }
}

function stampSome(words: Int32Array, stride: number, sequence: number): void {
  for (let i = 0; i < words.length; i += 4 * stride) {
    const second = i + stride;
    const third = second + stride;
    const fourth = third + stride;
    words[i] = sequence + i;
    words[second] = sequence + second;
    words[third] = sequence + third;
    words[fourth] = sequence + fourth;
  }
}

export function sumWords(words: Int32Array, stride: number): number {
  if (stride !== 1) return sumSome(words, stride);
  let even = 0;
  let odd = 0;
  for (let i = 0; i < words.length; i += UNROLLED) {
    even = (even + words[i]) | 0;
    odd = (odd + words[i + 1]) | 0;
    even = (even + words[i + 2]) | 0;
    odd = (odd + words[i + 3]) | 0;
    even = (even + words[i + 4]) | 0;
    odd = (odd + words[i + 5]) | 0;
    even = (even + words[i + 6]) | 0;
    odd = (odd + words[i + 7]) | 0;
  }
  return (even + odd) | 0;
}

function sumSome(words: Int32Array, stride: number): number {
  let even = 0;
  let odd = 0;
  for (let i = 0; i < words.length; i += 4 * stride) {
    even = (even + words[i]) | 0;
    odd = (odd + words[i + stride]) | 0;
    even = (even + words[i + 2 * stride]) | 0;
    odd = (odd + words[i + 3 * stride]) | 0;
  }
  return (even + odd) | 0;
}

/** The sum of a stamped message of that many words. */
export function messageSum(words: number, stride: number, sequence: number): number {
  const stamped = Math.ceil(words / stride);
  const places = (stride * stamped * (stamped - 1)) / 2;
  return (Math.imul(stamped, sequence) + places) | 0;
}

/** Throws unless `sum` is that of all messages of a stream. */
export function expectStream(plan: Plan, sum: number): void {
  const words = plan.payloadBytes >>> 2;
  let expected = 0;
  for (let i = 0; i < plan.warmup + plan.count; i++)
    expected = (expected + messageSum(words, plan.strideWords, i)) | 0;
  expectSum(sum, expected);
}

/** A private message: its bytes, and the same memory as words. */
export interface Frame {
  bytes: Uint8Array;
  words: Int32Array;
}

/** A frame whose words all differ, the same in each process. */
export function makeFrame(payloadBytes: number): Frame {
  if (payloadBytes % (4 * UNROLLED) !== 0)
    throw new RangeError(`payloads are multiples of ${4 * UNROLLED} bytes`);
  const words = new Int32Array(payloadBytes >>> 2);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1);
  return { bytes: new Uint8Array(words.buffer), words };
}

export function expectSum(found: number, expected: number): void {
  if (found !== expected)
    throw new Error(`the payload that arrived (${found}) is not what was sent (${expected})`);
}
