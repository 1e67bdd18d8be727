// open COUNT MIB…: time to open, map, look at and close a named object of each size that exists already.
#include "pair.hpp"
#include <algorithm>
#include <fcntl.h>

static uint8_t *map_object(const char *name, int flags, size_t bytes) {
  const int descriptor = shm_open(name, flags, 0600);
  if (descriptor < 0) fail("shm_open");
  if (flags & O_CREAT) {
    if (ftruncate(descriptor, off_t(bytes)) != 0) fail("ftruncate");
    if (posix_fallocate(descriptor, 0, off_t(bytes)) != 0) fail("posix_fallocate");
  }
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) fail("mmap");
  close(descriptor);
  return static_cast<uint8_t *>(at);
}

static double median(std::vector<uint64_t> ns) {
  std::sort(ns.begin(), ns.end());
  return double(ns[ns.size() / 2]);
}

int main(int argc, char **argv) {
  const uint64_t count = number_argument(argc, argv, 1);
  const std::string name = "/bench-native-" + std::to_string(getpid());
  std::vector<uint64_t> first_size;
  std::string parts;
  bool good = true;
  for (int argument = 2; argument < argc; argument++) {
    const size_t mib = number_argument(argc, argv, argument), bytes = mib << 20;
    const uint64_t begin = now_ns();
    uint8_t *held = map_object(name.c_str(), O_RDWR | O_CREAT | O_EXCL, bytes);
    const uint64_t created = now_ns() - begin;
    held[0] = 42;
    std::vector<uint64_t> ns;
    for (uint64_t i = 0; i < count; i++) {
      const uint64_t start = now_ns();
      uint8_t *at = map_object(name.c_str(), O_RDWR, bytes);
      good = good && at[0] == 42;
      munmap(at, bytes);
      ns.push_back(now_ns() - start);
    }
    munmap(held, bytes);
    shm_unlink(name.c_str());
    if (argument == 2) first_size.swap(ns);
    const std::string size = std::to_string(mib) + " MiB\":";
    if (!parts.empty()) parts += ",";
    parts += "\"create " + size + std::to_string(double(created));
    parts += ",\"open " + size + std::to_string(median(argument == 2 ? first_size : ns));
  }
  if (!good) return 1;
  print_latencies(first_size, 1, parts);
}
