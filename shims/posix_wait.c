/*
 * Sleeping and waking on one word, the clock, and the lock that the shim's own threads use among themselves.
 * linux_wait.c and darwin_wait.c say with which call.
 */
#include <time.h>

#include "posix.h"

/*
 * The longest single sleep. A worker that sleeps here cannot be terminated until it is back in JavaScript,
 * and isthmus_wait may return early: so it does, five times a second at most.
 */
#define SLEEP_MS_MAX 200

uint32_t read_word(const void *word) { return atomic_load((const _Atomic uint32_t *)word); }

void lock_shortly(short_lock *lock) {
  uint32_t found = 0;
  if (atomic_compare_exchange_strong(lock, &found, 1)) return;
  while (atomic_exchange(lock, 2) != 0) sleep_on_word(lock, 2, FOREVER_NS, true);
}

void unlock_shortly(short_lock *lock) {
  if (atomic_exchange(lock, 0) == 2) wake_word(lock, true);
}

int isthmus_wake(isthmus_object *object, uint64_t offset, isthmus_failure *failure) {
  return wake_word(object->address + offset, false) >= 0 ? ISTHMUS_OK : refuse_errno(failure, WAIT_CALL);
}

int isthmus_wait(isthmus_object *object, uint64_t offset, uint32_t expected, double timeout_ms,
                 isthmus_failure *failure) {
  if (!(timeout_ms > 0)) return ISTHMUS_OK;
  uint64_t timeout_ns = timeout_ms < SLEEP_MS_MAX ? (uint64_t)(timeout_ms * 1e6) : SLEEP_MS_MAX * 1000000ull;
  long result = sleep_on_word(object->address + offset, expected, timeout_ns, false);
  bool expectable = result == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT;
  return expectable ? ISTHMUS_OK : refuse_errno(failure, WAIT_CALL);
}

double isthmus_now_ms(void) {
  /* struct timespec has the same two 64-bit fields on every 64-bit system. */
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
