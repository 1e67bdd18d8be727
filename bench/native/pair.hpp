// Two processes over one shared mapping, a monotonic clock, and the JSON line that the harness reads.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <csignal>
#include <ctime>
#include <string>
#include <unistd.h>
#include <vector>

inline uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

[[noreturn]] inline void fail(const char *what) {
  perror(what);
  exit(1);
}

/** Zeroed pages that a forked child shares. */
inline uint8_t *shared_pages(size_t bytes) {
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED) fail("mmap");
  return static_cast<uint8_t *>(at);
}

/** Exit code of a run that says nothing, because an end got no core. bench/disturbed.ts has the same number. */
constexpr int DISTURBED_CODE = 3;

[[noreturn]] inline void disturbed(const char *why) {
  fprintf(stderr, "disturbed: %s\n", why);
  exit(DISTURBED_CODE);
}

/** Runs `left` here and `right` in a forked process that dies with this one. Both must return true. */
template <class Left, class Right> void run_pair(Left left, Right right) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const bool good = right();
    fflush(stdout);
    _exit(good ? 0 : 1);
  }
  const bool good = left();
  int status = 0;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  if (good && WIFEXITED(status) && WEXITSTATUS(status) == DISTURBED_CODE) disturbed("the other end said so");
  if (!good || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "the payload that arrived is not the payload that was sent\n");
    exit(1);
  }
}

/** `parts` are members of a JSON object that go with the figures. */
inline void print_latencies(const std::vector<uint64_t> &ns, uint64_t divisor,
                            const std::string &parts = "") {
  printf("{\"latenciesNs\":[");
  for (size_t i = 0; i < ns.size(); i++) printf("%s%.1f", i ? "," : "", double(ns[i]) / double(divisor));
  printf("],\"parts\":{%s}}\n", parts.c_str());
}

inline uint64_t number_argument(int count, char **values, int index) {
  if (index >= count) {
    fprintf(stderr, "argument %d is missing\n", index);
    exit(2);
  }
  return strtoull(values[index], nullptr, 10);
}
