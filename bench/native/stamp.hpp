// What a message carries: each word (stride 1), or one word in `stride`, is the sequence of the message plus
// the place of the word. The reader adds them up. bench/stamp.ts does the same, loop for loop.
#pragma once
#include <cstddef>
#include <cstdint>

inline void stamp(uint32_t *words, size_t count, size_t stride, uint32_t sequence) {
  if (stride != 1) {
    for (size_t i = 0; i < count; i += stride) words[i] = sequence + uint32_t(i);
    return;
  }
  for (size_t i = 0; i < count; i += 8) {
    const uint32_t first = sequence + uint32_t(i);
    for (uint32_t j = 0; j < 8; j++) words[i + j] = first + j;
  }
}

inline uint32_t sum_words(const uint32_t *words, size_t count, size_t stride) {
  uint32_t sum = 0;
  if (stride != 1) {
    for (size_t i = 0; i < count; i += stride) sum += words[i];
    return sum;
  }
  for (size_t i = 0; i < count; i += 8)
    for (size_t j = 0; j < 8; j++) sum += words[i + j];
  return sum;
}

/** The sum of a stamped message of that many words. */
inline uint32_t message_sum(size_t count, size_t stride, uint32_t sequence) {
  const uint64_t stamped = (count + stride - 1) / stride;
  return uint32_t(stamped * sequence + stride * stamped * (stamped - 1) / 2);
}
