// mpmc PAYLOAD CAPACITY STRIDE WARMUP COUNT: messages per second from two processes to two others, through Vyukov's bounded
// queue in shared memory. Whoever must wait yields its core.
//
//   cell = turn u64 | length u32 | payload        turn: position when it is free, position + 1 when it is full
#include "pair.hpp"
#include "stamp.hpp"
#include <atomic>
#include <cstring>
#include <sched.h>

constexpr int PRODUCERS = 2;
constexpr int CONSUMERS = 2;
constexpr int PROCESSES = PRODUCERS + CONSUMERS;

struct Job {
  uint32_t payload;
  uint64_t capacity, stride, warmup, count;
};

struct Shared {
  alignas(128) std::atomic<uint64_t> tail;
  alignas(128) std::atomic<uint64_t> head;
  alignas(128) std::atomic<uint32_t> ready[2], done[2];
  std::atomic<uint32_t> go[2];
  std::atomic<uint32_t> sum[2];
};

class Queue {
  Shared *words;
  uint8_t *cells;
  uint64_t capacity;
  size_t stride;

  std::atomic<uint64_t> *turn(uint64_t position) {
    return reinterpret_cast<std::atomic<uint64_t> *>(cells + (position & (capacity - 1)) * stride);
  }

public:
  static size_t cell_bytes(uint32_t payload) { return (16 + payload + 63) & ~size_t(63); }

  Queue(Shared *shared, uint8_t *at, const Job &job)
      : words(shared), cells(at), capacity(job.capacity), stride(cell_bytes(job.payload)) {}

  void initialise() {
    for (uint64_t i = 0; i < capacity; i++) turn(i)->store(i, std::memory_order_relaxed);
  }

  bool send(const void *payload, uint32_t length) {
    uint64_t position = words->tail.load(std::memory_order_relaxed);
    for (;;) {
      std::atomic<uint64_t> *cell = turn(position);
      const int64_t ahead = int64_t(cell->load(std::memory_order_acquire) - position);
      if (ahead < 0) return false;
      if (ahead > 0) {
        position = words->tail.load(std::memory_order_relaxed);
        continue;
      }
      if (!words->tail.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
      auto *bytes = reinterpret_cast<uint8_t *>(cell);
      memcpy(bytes + 8, &length, 4);
      memcpy(bytes + 16, payload, length);
      cell->store(position + 1, std::memory_order_release);
      return true;
    }
  }

  bool receive(void *payload, uint32_t &length) {
    uint64_t position = words->head.load(std::memory_order_relaxed);
    for (;;) {
      std::atomic<uint64_t> *cell = turn(position);
      const int64_t ahead = int64_t(cell->load(std::memory_order_acquire) - (position + 1));
      if (ahead < 0) return false;
      if (ahead > 0) {
        position = words->head.load(std::memory_order_relaxed);
        continue;
      }
      if (!words->head.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
      auto *bytes = reinterpret_cast<uint8_t *>(cell);
      memcpy(&length, bytes + 8, 4);
      memcpy(payload, bytes + 16, length);
      cell->store(position + capacity, std::memory_order_release);
      return true;
    }
  }
};

static void wait_until(const std::atomic<uint32_t> &word, uint32_t value) {
  while (word.load(std::memory_order_acquire) < value) sched_yield();
}

static void produce(Queue &queue, const Job &job, int index, uint64_t count) {
  std::vector<uint32_t> frame(job.payload / 4);
  for (uint64_t sequence = uint64_t(index); sequence < count; sequence += PRODUCERS) {
    stamp(frame.data(), frame.size(), job.stride, uint32_t(sequence));
    while (!queue.send(frame.data(), job.payload)) sched_yield();
  }
  while (!queue.send(frame.data(), 0)) sched_yield();
}

static uint32_t consume(Queue &queue, const Job &job) {
  std::vector<uint32_t> frame(job.payload / 4);
  for (uint32_t sum = 0, length = 0;;) {
    while (!queue.receive(frame.data(), length)) sched_yield();
    if (length == 0) return sum;
    sum += sum_words(frame.data(), frame.size(), job.stride);
  }
}

static void work(Shared *shared, Queue queue, const Job &job, int index) {
  const uint64_t counts[2] = {job.warmup, job.count};
  for (int round = 0; round < 2; round++) {
    shared->ready[round].fetch_add(1);
    wait_until(shared->go[round], 1);
    if (index < PRODUCERS) produce(queue, job, index, counts[round]);
    else shared->sum[round].fetch_add(consume(queue, job));
    shared->done[round].fetch_add(1);
  }
}

static bool lead(Shared *shared, const Job &job) {
  const uint64_t counts[2] = {job.warmup, job.count};
  bool good = true;
  for (int round = 0; round < 2; round++) {
    wait_until(shared->ready[round], PROCESSES);
    const uint64_t start = now_ns();
    shared->go[round].store(1, std::memory_order_release);
    while (shared->done[round].load(std::memory_order_acquire) < PROCESSES) usleep(100);
    const uint64_t elapsed = now_ns() - start;
    uint32_t expected = 0;
    for (uint64_t i = 0; i < counts[round]; i++) expected += message_sum(job.payload / 4, job.stride, uint32_t(i));
    good = good && expected == shared->sum[round].load();
    if (round == 1) printf("{\"perSecond\":%.1f}\n", double(job.count) * 1e9 / double(elapsed));
  }
  return good;
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const Job job{uint32_t(number(1)), number(2), number(3), number(4), number(5)};
  auto *shared = reinterpret_cast<Shared *>(shared_pages(sizeof(Shared)));
  Queue queue(shared, shared_pages(job.capacity * Queue::cell_bytes(job.payload)), job);
  queue.initialise();
  const pid_t parent = getpid();
  for (int index = 0; index < PROCESSES; index++) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    work(shared, queue, job, index);
    _exit(0);
  }
  const bool good = lead(shared, job);
  for (int index = 0; index < PROCESSES; index++) wait(nullptr);
  if (good) return 0;
  fprintf(stderr, "the payload that arrived is not the payload that was sent\n");
  return 1;
}
