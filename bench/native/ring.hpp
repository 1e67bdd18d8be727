// The native twin of the ring: same records, same positions, same batching, but release stores and no checks.
//
//   record = length u32 | kind u32 | payload, padded to 8
//   positions only grow; index = position & (capacity - 1)
//
//   word   written by   read by
//   head   producer     consumer      release / acquire: records below it are complete
//   tail   consumer     producer      release / acquire: bytes below it may be written again
#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>

constexpr uint64_t RECORD_HEADER_BYTES = 8;
constexpr uint32_t RECORD_DATA = 0x44415441;
constexpr uint32_t RECORD_PADDING = 0x50414444;
constexpr uint64_t HELD_RECORDS_MAX = 64;
constexpr uint64_t HELD_SHIFT = 3;

struct RingWords {
  alignas(128) std::atomic<uint64_t> head;
  alignas(128) std::atomic<uint64_t> tail;
};

/** The records, behind the positions. */
inline uint8_t *ring_data(RingWords *ring) { return reinterpret_cast<uint8_t *>(ring) + sizeof(RingWords); }
inline size_t ring_bytes(uint64_t capacity) { return sizeof(RingWords) + capacity; }
inline uint64_t record_bytes(uint64_t length) { return (RECORD_HEADER_BYTES + length + 7) & ~uint64_t(7); }
inline void put_header(uint8_t *at, uint32_t length, uint32_t kind) {
  memcpy(at, &length, 4);
  memcpy(at + 4, &kind, 4);
}

class Producer {
  RingWords *words;
  uint8_t *data;
  uint64_t capacity, head = 0, cached_tail = 0;

public:
  Producer(RingWords *ring, uint64_t bytes) : words(ring), data(ring_data(ring)), capacity(bytes) {}

  /** Room for a payload, or null while the ring is full. It is the consumer's after `publish`. */
  uint8_t *claim(uint32_t length) {
    const uint64_t index = head & (capacity - 1);
    const uint64_t left = capacity - index;
    const uint64_t bytes = record_bytes(length);
    const uint64_t padding = bytes > left ? left : 0;
    if (head + padding + bytes - cached_tail > capacity) {
      cached_tail = words->tail.load(std::memory_order_acquire);
      if (head + padding + bytes - cached_tail > capacity) return nullptr;
    }
    if (padding) {
      put_header(data + index, uint32_t(padding - RECORD_HEADER_BYTES), RECORD_PADDING);
      head += padding;
    }
    uint8_t *at = data + (head & (capacity - 1));
    put_header(at, length, RECORD_DATA);
    head += bytes;
    return at + RECORD_HEADER_BYTES;
  }

  void publish() { words->head.store(head, std::memory_order_release); }
};

class Consumer {
  RingWords *words;
  uint8_t *data;
  uint64_t capacity, tail = 0, released = 0, cached_head = 0, held = 0;

public:
  Consumer(RingWords *ring, uint64_t bytes) : words(ring), data(ring_data(ring)), capacity(bytes) {}

  /** The next payload, or null while the ring is empty. It stays valid until `take` and a release. */
  uint8_t *peek(uint32_t &length) {
    for (;;) {
      if (tail == cached_head) {
        cached_head = words->head.load(std::memory_order_acquire);
        if (tail == cached_head) return nullptr;
      }
      uint8_t *at = data + (tail & (capacity - 1));
      uint32_t kind;
      memcpy(&length, at, 4);
      memcpy(&kind, at + 4, 4);
      if (kind == RECORD_DATA) return at + RECORD_HEADER_BYTES;
      tail += record_bytes(length);
    }
  }

  /** Done with the record that `peek` gave. The producer learns of it with the next release. */
  void take(uint32_t length) {
    tail += record_bytes(length);
    held++;
    if (held >= HELD_RECORDS_MAX || tail - released >= capacity >> HELD_SHIFT) release();
  }

  void release() {
    if (tail == released) return;
    words->tail.store(tail, std::memory_order_release);
    released = tail;
    held = 0;
  }
};
