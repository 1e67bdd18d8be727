// latest read PACE BLOCK WARMUP COUNT: reads of the newest 64-byte value while another process writes one each
// PACE nanoseconds. (A writer without a pace starves readers of two slots: nothing but luck is measured.)
// latest write BLOCK WARMUP COUNT: writes of a value that nobody reads meanwhile.
//
// Two slots, each with the version of the value in it, 0 while it is written.
// `current` = version << 8 | slot.
//   writer: versions[slot] = 0 | payload, word by word | versions[slot] = version | current
//   reader: current | versions[slot] == version | payload | versions[slot] == version, else again
// Both sides access the payload with relaxed atomics, so a mixed read is possible but never undefined, and is
// found by the second look at the version.
#include "pair.hpp"
#include <atomic>
#include <cstring>

constexpr size_t FIELDS = 8;

struct LatestWords {
  alignas(128) std::atomic<uint64_t> current;
  std::atomic<uint64_t> versions[2];
  alignas(128) std::atomic<uint64_t> slots[2][FIELDS];
  alignas(128) std::atomic<uint32_t> stop;
};

static void write(LatestWords *latest, uint64_t version) {
  const uint64_t slot = version & 1;
  latest->versions[slot].store(0, std::memory_order_relaxed);
  // Orders the mark before the payload: a reader that sees a new word also sees the mark.
  std::atomic_thread_fence(std::memory_order_release);
  for (size_t i = 0; i < FIELDS; i++) latest->slots[slot][i].store(version + i, std::memory_order_relaxed);
  latest->versions[slot].store(version, std::memory_order_release);
  latest->current.store(version << 8 | slot, std::memory_order_release);
}

static uint64_t read(LatestWords *latest, uint64_t *value) {
  for (;;) {
    const uint64_t current = latest->current.load(std::memory_order_acquire);
    const uint64_t slot = current & 255, version = current >> 8;
    if (latest->versions[slot].load(std::memory_order_acquire) != version) continue;
    for (size_t i = 0; i < FIELDS; i++) value[i] = latest->slots[slot][i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (latest->versions[slot].load(std::memory_order_relaxed) == version) return version;
  }
}

static bool whole(const uint64_t *value) {
  uint64_t sum = 0;
  for (size_t i = 0; i < FIELDS; i++) sum += value[i];
  return sum == FIELDS * value[0] + FIELDS * (FIELDS - 1) / 2;
}

static void read_beside_writer(LatestWords *latest, uint64_t pace, uint64_t block, uint64_t warmup, uint64_t count) {
  run_pair(
      [&] {
        std::vector<uint64_t> ns;
        uint64_t value[FIELDS], seen = 0, changes = 0;
        bool good = true;
        for (uint64_t i = 0; i < warmup + count; i++) {
          const uint64_t start = now_ns();
          for (uint64_t j = 0; j < block; j++) {
            read(latest, value);
            good = good && whole(value);
            if (value[0] != seen) changes++;
            seen = value[0];
          }
          if (i >= warmup) ns.push_back(now_ns() - start);
        }
        latest->stop.store(1);
        if (good && changes <= 1) disturbed("the writer got no core while it was read");
        const double share = double(changes) / double((warmup + count) * block);
        print_latencies(ns, block, "\"reads that saw a new value\":" + std::to_string(share));
        return good;
      },
      [&] {
        uint64_t next = now_ns();
        for (uint64_t version = 2; !latest->stop.load(std::memory_order_relaxed); version++) {
          while (now_ns() < next) {
          }
          next = now_ns() + pace;
          write(latest, version);
        }
        return true;
      });
}

static bool write_alone(LatestWords *latest, uint64_t block, uint64_t warmup, uint64_t count) {
  std::vector<uint64_t> ns;
  uint64_t version = 1, value[FIELDS];
  for (uint64_t i = 0; i < warmup + count; i++) {
    const uint64_t start = now_ns();
    for (uint64_t j = 0; j < block; j++) write(latest, ++version);
    if (i >= warmup) ns.push_back(now_ns() - start);
  }
  print_latencies(ns, block);
  return read(latest, value) == version && value[0] == version && whole(value);
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  auto *latest = reinterpret_cast<LatestWords *>(shared_pages(4096));
  write(latest, 1);
  if (argc > 1 && strcmp(argv[1], "write") == 0) return write_alone(latest, number(2), number(3), number(4)) ? 0 : 1;
  read_beside_writer(latest, number(2), number(3), number(4), number(5));
}
