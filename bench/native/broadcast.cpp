// broadcast PAYLOAD CAPACITY BLOCK WARMUP COUNT: nanoseconds of a publish, with 1, 2, 4 and 8 readers that look each millisecond.
// Records are overwritten without looking at readers; these know from the numbers how many they have lost.
//
//   record = length u32 | 0 | number u64 | payload, padded to 8       index of a position = position mod CAPACITY
//   publisher: intent = end | fence | payload, header | tail = end    reader: payload | fence | intent - position <= CAPACITY
//
// All records have the same bytes, of which CAPACITY is a multiple, so none wraps around.
#include "pair.hpp"
#include "stamp.hpp"
#include <algorithm>
#include <atomic>
#include <cstring>

constexpr useconds_t PAUSE_US = 1000;
constexpr size_t HEADER_BYTES = 16;
constexpr int ROUNDS = 4;
constexpr int READERS[ROUNDS] = {1, 2, 4, 8};

struct Job {
  uint32_t payload;
  uint64_t capacity, block, warmup, count;
};

struct Shared {
  alignas(128) std::atomic<uint64_t> intent, tail;
  alignas(128) std::atomic<uint32_t> ready[ROUNDS], over[ROUNDS], done[ROUNDS], bad;
  std::atomic<uint64_t> seen[ROUNDS];
};

static void publish(Shared *shared, uint8_t *data, const Job &job, const void *payload, uint64_t number) {
  const uint64_t bytes = HEADER_BYTES + job.payload, position = (number - 1) * bytes;
  shared->intent.store(position + bytes, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  uint8_t *at = data + position % job.capacity;
  memcpy(at, &job.payload, 4);
  memcpy(at + 8, &number, 8);
  memcpy(at + HEADER_BYTES, payload, job.payload);
  shared->tail.store(position + bytes, std::memory_order_release);
}

/** How many records came and were lost until the round was over. */
static uint64_t read_round(Shared *shared, uint8_t *data, const Job &job, int round) {
  const uint64_t bytes = HEADER_BYTES + job.payload;
  std::vector<uint32_t> own(job.payload / 4);
  uint64_t position = shared->tail.load(), seen = 0;
  shared->ready[round].fetch_add(1);
  for (bool last = false;; usleep(PAUSE_US)) {
    uint64_t tail = shared->tail.load(std::memory_order_acquire);
    while (position != tail) {
      uint64_t number;
      const uint8_t *at = data + position % job.capacity;
      memcpy(&number, at + 8, 8);
      memcpy(own.data(), at + HEADER_BYTES, job.payload);
      std::atomic_thread_fence(std::memory_order_acquire);
      const uint64_t intent = shared->intent.load(std::memory_order_relaxed);
      if (intent - position > job.capacity) {
        const uint64_t next = (intent - job.capacity / 2) / bytes * bytes;
        seen += (next - position) / bytes;
        position = next;
        tail = shared->tail.load(std::memory_order_acquire);
        if (position > tail) tail = position;
        continue;
      }
      const uint32_t words = job.payload / 4;
      const bool whole = sum_words(own.data(), words, 1) == words * own[0] + words * (words - 1) / 2;
      if (!whole || number != position / bytes + 1) shared->bad.store(1);
      position += bytes;
      seen++;
    }
    if (last) return seen;
    last = shared->over[round].load() != 0;
  }
}

static void read_all(Shared *shared, uint8_t *data, const Job &job, int index) {
  for (int round = 0; round < ROUNDS; round++) {
    if (index >= READERS[round]) continue;
    while (round > 0 && shared->over[round - 1].load() == 0) usleep(100);
    shared->seen[round].fetch_add(read_round(shared, data, job, round));
    shared->done[round].fetch_add(1);
  }
}

static bool publish_all(Shared *shared, uint8_t *data, const Job &job) {
  std::vector<uint32_t> frame(job.payload / 4);
  std::vector<uint64_t> first;
  std::string parts;
  uint64_t number = 0;
  bool good = true;
  for (int round = 0; round < ROUNDS; round++) {
    const uint32_t readers = uint32_t(READERS[round]);
    while (shared->ready[round].load() < readers) usleep(100);
    std::vector<uint64_t> ns;
    for (uint64_t block = 0; block < job.warmup + job.count; block++) {
      const uint64_t start = now_ns();
      for (uint64_t i = 0; i < job.block; i++) {
        stamp(frame.data(), frame.size(), 1, uint32_t(number));
        publish(shared, data, job, frame.data(), ++number);
      }
      if (block >= job.warmup) ns.push_back(now_ns() - start);
      usleep(PAUSE_US);
    }
    shared->over[round].store(1);
    while (shared->done[round].load() < readers) usleep(100);
    good = good && shared->seen[round].load() == readers * (job.warmup + job.count) * job.block;
    if (round == 0) first = ns;
    std::nth_element(ns.begin(), ns.begin() + long(ns.size() / 2), ns.end());
    const double middle = double(ns[ns.size() / 2]) / double(job.block);
    parts += (round ? ",\"" : "\"") + std::to_string(readers) + "\":" + std::to_string(middle);
  }
  print_latencies(first, job.block, parts);
  return good && shared->bad.load() == 0;
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  Job job{uint32_t(number(1)), number(2), number(3), number(4), number(5)};
  job.capacity -= job.capacity % (HEADER_BYTES + job.payload);
  auto *shared = reinterpret_cast<Shared *>(shared_pages(sizeof(Shared)));
  uint8_t *data = shared_pages(job.capacity);
  const pid_t parent = getpid();
  for (int index = 0; index < READERS[ROUNDS - 1]; index++) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    read_all(shared, data, job, index);
    _exit(0);
  }
  const bool good = publish_all(shared, data, job);
  for (int index = 0; index < READERS[ROUNDS - 1]; index++) wait(nullptr);
  if (good) return 0;
  fprintf(stderr, "what came and what was lost is not what was published\n");
  return 1;
}
