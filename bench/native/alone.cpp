// alone BLOCK WARMUP COUNT: one process that claims a record of 64 bytes, writes its first and last word, and publishes it; then
// peeks at it, reads these words, takes and releases it.
#include "pair.hpp"
#include "ring.hpp"

constexpr uint64_t CAPACITY = 65536;
constexpr uint32_t PAYLOAD = 64;

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const uint64_t block = number(1), warmup = number(2), count = number(3);
  auto *ring = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(CAPACITY)));
  Producer producer(ring, CAPACITY);
  Consumer consumer(ring, CAPACITY);
  std::vector<uint64_t> ns;
  uint64_t sequence = 0, wrong = 0;
  for (uint64_t i = 0; i < warmup + count; i++) {
    const uint64_t start = now_ns();
    for (uint64_t j = 0; j < block; j++, sequence++) {
      uint8_t *room = producer.claim(PAYLOAD);
      if (!room) return 1;
      auto *words = reinterpret_cast<volatile uint32_t *>(room);
      words[0] = uint32_t(sequence);
      words[PAYLOAD / 4 - 1] = uint32_t(sequence + 1);
      producer.publish();
      uint32_t length = 0;
      auto *found = reinterpret_cast<volatile uint32_t *>(consumer.peek(length));
      if (!found || found[0] != uint32_t(sequence) || found[length / 4 - 1] != uint32_t(sequence + 1)) wrong++;
      consumer.take(length);
      consumer.release();
    }
    if (i >= warmup) ns.push_back(now_ns() - start);
  }
  if (wrong) {
    fprintf(stderr, "%lu records are not what was written\n", (unsigned long)wrong);
    return 1;
  }
  print_latencies(ns, block);
}
