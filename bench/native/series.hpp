// A series of numbers that looks random and is the same in each run, and sizes of blocks drawn from it: from
// 16 B to 4 KiB, half as many for each doubling. bench/series.ts does the same.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

class Series {
  static constexpr int DOUBLINGS = 8;
  static constexpr uint32_t SMALLEST_BYTES = 16;
  uint32_t state;

public:
  explicit Series(uint32_t seed) : state(seed) {}

  /** The next 32 bits. Source: George Marsaglia, "Xorshift RNGs" (2003). */
  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  }

  /** Bytes of the next block. The state is never 0. */
  size_t next_bytes() {
    const uint32_t bits = next();
    const uint32_t smallest = SMALLEST_BYTES << std::min(__builtin_ctz(bits), DOUBLINGS - 1);
    return smallest + ((bits >> DOUBLINGS) & (smallest - 1));
  }
};
