// heap malloc|locked BLOCK WARMUP COUNT LIVE…: frees one of LIVE blocks and allocates another, of mixed sizes, whose
// first word is written. malloc: the general allocator of the C library, which knows no other process.
// locked: the same behind a robust, process-shared mutex, which an allocator for many processes cannot do without.
#include "mutex.hpp"
#include "series.hpp"
#include <cstring>

constexpr uint32_t SEED = 0x2545f491;

struct Job {
  bool locked;
  uint64_t block, warmup, count;
};

static double median(std::vector<uint64_t> ns) {
  std::sort(ns.begin(), ns.end());
  return double(ns[ns.size() / 2]);
}

template <bool LOCKED> static std::vector<uint64_t> measure(const Job &job, size_t live, pthread_mutex_t *mutex) {
  Series series(SEED);
  std::vector<uint32_t *> blocks(live);
  const auto take = [&] {
    if (LOCKED) lock_robust(mutex);
    auto *block = static_cast<uint32_t *>(malloc(series.next_bytes()));
    if (LOCKED) pthread_mutex_unlock(mutex);
    if (!block) fail("malloc");
    return block;
  };
  const auto give = [&](uint32_t *block) {
    if (LOCKED) lock_robust(mutex);
    free(block);
    if (LOCKED) pthread_mutex_unlock(mutex);
  };
  for (auto &block : blocks) block = take();
  std::vector<uint64_t> ns;
  for (uint64_t i = 0; i < job.warmup + job.count; i++) {
    const uint64_t start = now_ns();
    for (uint64_t j = 0; j < job.block; j++) {
      const uint32_t index = series.next() % uint32_t(live);
      give(blocks[index]);
      blocks[index] = take();
      *static_cast<volatile uint32_t *>(blocks[index]) = index;
    }
    if (i >= job.warmup) ns.push_back(now_ns() - start);
  }
  for (auto *block : blocks) give(block);
  return ns;
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const Job job{argc > 1 && strcmp(argv[1], "locked") == 0, number(2), number(3), number(4)};
  pthread_mutex_t *mutex = robust_mutex(shared_pages(4096));
  std::vector<uint64_t> first;
  std::string parts;
  for (int argument = 5; argument < argc; argument++) {
    const size_t live = number(argument);
    std::vector<uint64_t> ns = job.locked ? measure<true>(job, live, mutex) : measure<false>(job, live, mutex);
    if (!parts.empty()) parts += ",";
    parts += "\"" + std::to_string(live) + " live\":" + std::to_string(median(ns) / double(job.block));
    if (first.empty()) first.swap(ns);
  }
  print_latencies(first, job.block, parts);
}
