/**
 * Every atomic access of the core. All are sequentially consistent: Wasm has no weaker ones. A store that publishes
 * something names, where it stands, the load that it pairs with.
 *
 * Some engines make an atomic load by adding zero, which memory mapped read-only forbids. For read-only openers there the
 * same sources are compiled with PLAIN_LOADS; the host then puts fences where the order of loads matters.
 */

export function load32(offset: usize): u32 {
  return isDefined(PLAIN_LOADS) ? load<u32>(offset) : atomic.load<u32>(offset);
}

export function store32(offset: usize, value: u32): void {
  atomic.store<u32>(offset, value);
}

export function add32(offset: usize, value: u32): u32 {
  return atomic.add<u32>(offset, value);
}

export function or32(offset: usize, bits: u32): u32 {
  return atomic.or<u32>(offset, bits);
}

/** Returns the value before. */
export function and32(offset: usize, bits: u32): u32 {
  return atomic.and<u32>(offset, bits);
}

export function load64(offset: usize): u64 {
  return isDefined(PLAIN_LOADS) ? load<u64>(offset) : atomic.load<u64>(offset);
}

export function store64(offset: usize, value: u64): void {
  atomic.store<u64>(offset, value);
}

export function add64(offset: usize, value: u64): u64 {
  return atomic.add<u64>(offset, value);
}

/** Replaces `expected` by `value`; true when it did. */
export function swap64(offset: usize, expected: u64, value: u64): bool {
  return atomic.cmpxchg<u64>(offset, expected, value) == expected;
}

/** Replaces `expected` by `value`; true when it did. */
export function swap32(offset: usize, expected: u32, value: u32): bool {
  return atomic.cmpxchg<u32>(offset, expected, value) == expected;
}

/** Stores and returns the value before. */
export function exchange64(offset: usize, value: u64): u64 {
  return atomic.xchg<u64>(offset, value);
}

/** Replaces `expected` by `value`; returns the value before. */
export function compareExchange64(offset: usize, expected: u64, value: u64): u64 {
  return atomic.cmpxchg<u64>(offset, expected, value);
}
