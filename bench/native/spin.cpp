// spin ring|atomics PAYLOAD BLOCK WARMUP COUNT: round trips between two processes that both poll.
//
// ring: a message goes through one ring and comes back through another. atomics: a bare 64-bit word each way.
// One latency is the mean of BLOCK trips, so that the clock is not what is measured.
#include "pair.hpp"
#include "ring.hpp"
#include "stamp.hpp"

constexpr uint64_t CAPACITY = 65536;

struct Job {
  uint32_t payload;
  uint64_t block, warmup, count;
  uint64_t trips() const { return (warmup + count) * block; }
};

static void send(Producer &producer, const uint32_t *words, uint32_t bytes) {
  uint8_t *room;
  while (!(room = producer.claim(bytes))) {
  }
  memcpy(room, words, bytes);
  producer.publish();
}

static void receive(Consumer &consumer, uint32_t *words) {
  uint32_t length;
  const uint8_t *payload;
  while (!(payload = consumer.peek(length))) {
  }
  memcpy(words, payload, length);
  consumer.take(length);
}

template <class Trip> static void measure(const Job &job, Trip trip) {
  std::vector<uint64_t> ns;
  for (uint64_t i = 0; i < job.warmup + job.count; i++) {
    const uint64_t start = now_ns();
    for (uint64_t j = 0; j < job.block; j++) trip(uint32_t(i * job.block + j));
    if (i >= job.warmup) ns.push_back(now_ns() - start);
  }
  print_latencies(ns, job.block);
}

static void ring_trips(const Job &job) {
  auto *there = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(CAPACITY)));
  auto *back = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(CAPACITY)));
  const size_t words = job.payload / 4;
  run_pair(
      [&] {
        Producer producer(there, CAPACITY);
        Consumer consumer(back, CAPACITY);
        std::vector<uint32_t> message(words), answer(words);
        bool good = true;
        measure(job, [&](uint32_t sequence) {
          stamp(message.data(), words, 1, sequence);
          send(producer, message.data(), job.payload);
          receive(consumer, answer.data());
          good = good && sum_words(answer.data(), words, 1) == message_sum(words, 1, sequence);
        });
        return good;
      },
      [&] {
        Producer producer(back, CAPACITY);
        Consumer consumer(there, CAPACITY);
        std::vector<uint32_t> message(words);
        for (uint64_t i = 0; i < job.trips(); i++) {
          receive(consumer, message.data());
          send(producer, message.data(), job.payload);
        }
        return true;
      });
}

static void word_trips(const Job &job) {
  auto *there = reinterpret_cast<std::atomic<uint64_t> *>(shared_pages(4096));
  auto *back = there + 16;
  run_pair(
      [&] {
        measure(job, [&](uint32_t sequence) {
          there->store(uint64_t(sequence) + 1, std::memory_order_release);
          while (back->load(std::memory_order_acquire) != uint64_t(sequence) + 1) {
          }
        });
        return true;
      },
      [&] {
        for (uint64_t i = 1; i <= job.trips(); i++) {
          while (there->load(std::memory_order_acquire) != i) {
          }
          back->store(i, std::memory_order_release);
        }
        return true;
      });
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const Job job{uint32_t(number(2)), number(3), number(4), number(5)};
  if (strcmp(argv[1], "ring") == 0) ring_trips(job);
  else word_trips(job);
}
