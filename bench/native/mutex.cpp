// mutex BLOCK WARMUP COUNT: a robust, process-shared mutex in shared memory, locked, one word changed, unlocked.
#include "mutex.hpp"

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const uint64_t block = number(1), warmup = number(2), count = number(3);
  uint8_t *pages = shared_pages(4096);
  pthread_mutex_t *mutex = robust_mutex(pages);
  auto *word = reinterpret_cast<volatile uint32_t *>(pages + 1024);
  std::vector<uint64_t> ns;
  for (uint64_t i = 0; i < warmup + count; i++) {
    const uint64_t start = now_ns();
    for (uint64_t j = 0; j < block; j++) {
      lock_robust(mutex);
      *word = *word + 1;
      pthread_mutex_unlock(mutex);
    }
    if (i >= warmup) ns.push_back(now_ns() - start);
  }
  if (*word != uint32_t((warmup + count) * block)) return 1;
  print_latencies(ns, block);
}
