// futex PAYLOAD SPINS WARMUP COUNT: round trips through two rings whose readers sleep on a futex.
//
// A reader looks SPINS more times before it sleeps; it says so in `sleeping`, so that a writer only makes the
// system call when somebody sleeps. The stores of one side and the loads of the other are sequentially
// consistent: else the writer could miss the sleeper while the sleeper misses the message.
#include "pair.hpp"
#include "ring.hpp"
#include "stamp.hpp"
#include <linux/futex.h>
#include <sys/syscall.h>

constexpr uint64_t CAPACITY = 65536;

struct Bell {
  alignas(128) std::atomic<uint32_t> sleeping;
  alignas(128) std::atomic<uint32_t> rings;
};

static void notify(Bell *bell) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!bell->sleeping.load(std::memory_order_relaxed)) return;
  bell->rings.fetch_add(1);
  syscall(SYS_futex, &bell->rings, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

static void send(Producer &producer, Bell *bell, const uint32_t *words, uint32_t bytes) {
  uint8_t *room;
  while (!(room = producer.claim(bytes))) {
  }
  memcpy(room, words, bytes);
  producer.publish();
  notify(bell);
}

static const uint8_t *await(Consumer &consumer, Bell *bell, uint32_t &length, uint64_t spins) {
  const uint8_t *payload;
  for (uint64_t i = 0; i <= spins; i++)
    if ((payload = consumer.peek(length))) return payload;
  for (;;) {
    const uint32_t rings = bell->rings.load();
    bell->sleeping.store(1);
    payload = consumer.peek(length);
    if (!payload) syscall(SYS_futex, &bell->rings, FUTEX_WAIT, rings, nullptr, nullptr, 0);
    bell->sleeping.store(0);
    if (payload || (payload = consumer.peek(length))) return payload;
  }
}

static void receive(Consumer &consumer, Bell *bell, uint32_t *words, uint64_t spins) {
  uint32_t length;
  const uint8_t *payload = await(consumer, bell, length, spins);
  memcpy(words, payload, length);
  consumer.take(length);
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const uint32_t payload = uint32_t(number(1));
  const uint64_t spins = number(2), warmup = number(3), count = number(4);
  const size_t words = payload / 4;
  auto *there = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(CAPACITY)));
  auto *back = reinterpret_cast<RingWords *>(shared_pages(ring_bytes(CAPACITY)));
  auto *bells = reinterpret_cast<Bell *>(shared_pages(4096));
  run_pair(
      [&] {
        Producer producer(there, CAPACITY);
        Consumer consumer(back, CAPACITY);
        std::vector<uint32_t> message(words), answer(words);
        std::vector<uint64_t> ns;
        bool good = true;
        for (uint64_t i = 0; i < warmup + count; i++) {
          const uint64_t start = now_ns();
          stamp(message.data(), words, 1, uint32_t(i));
          send(producer, &bells[0], message.data(), payload);
          receive(consumer, &bells[1], answer.data(), spins);
          good = good && sum_words(answer.data(), words, 1) == message_sum(words, 1, uint32_t(i));
          if (i >= warmup) ns.push_back(now_ns() - start);
        }
        print_latencies(ns, 1);
        return good;
      },
      [&] {
        Producer producer(back, CAPACITY);
        Consumer consumer(there, CAPACITY);
        std::vector<uint32_t> message(words);
        for (uint64_t i = 0; i < warmup + count; i++) {
          receive(consumer, &bells[0], message.data(), spins);
          send(producer, &bells[1], message.data(), payload);
        }
        return true;
      });
}
