/* Sleeping and waking with futex, and on several words with futex_waitv (Linux 5.16). */
#include "posix.h"

/* linux/futex.h: operations without FUTEX_PRIVATE reach other processes through the same page. */
#define KERNEL_FUTEX_WAIT 0
#define KERNEL_FUTEX_WAKE 1
#define KERNEL_FUTEX_PRIVATE 128

#define KERNEL_SYS_FUTEX_WAITV 449
#define KERNEL_FUTEX_WORD 2

/* struct timespec of the kernel on 64-bit CPUs */
typedef struct {
  int64_t seconds, nanoseconds;
} kernel_timespec;

/* struct futex_waitv of the kernel */
typedef struct {
  uint64_t expected, address;
  uint32_t flags, reserved;
} kernel_waiter;

long sleep_on_word(const void *word, uint32_t expected, uint64_t timeout_ns, bool in_process) {
  kernel_timespec timeout = {(int64_t)(timeout_ns / 1000000000u), (int64_t)(timeout_ns % 1000000000u)};
  int operation = KERNEL_FUTEX_WAIT | (in_process ? KERNEL_FUTEX_PRIVATE : 0);
  return syscall(SYS_futex, word, operation, expected, timeout_ns == FOREVER_NS ? NULL : &timeout, NULL, 0);
}

long wake_word(const void *word, bool in_process) {
  int operation = KERNEL_FUTEX_WAKE | (in_process ? KERNEL_FUTEX_PRIVATE : 0);
  return syscall(SYS_futex, word, operation, INT32_MAX, NULL, NULL, 0);
}

long sleep_on_words(const awaited_word *words, uint32_t count, awaited_word control, bool several) {
  kernel_waiter waiters[WATCHED_MAX + 1];
  if (!several) return sleep_on_word(words[0].word, words[0].expected, FOREVER_NS, false);
  for (uint32_t i = 0; i < count; i++)
    waiters[i] = (kernel_waiter){words[i].expected, (uintptr_t)words[i].word, KERNEL_FUTEX_WORD, 0};
  waiters[count] = (kernel_waiter){control.expected, (uintptr_t)control.word,
                                   KERNEL_FUTEX_WORD | KERNEL_FUTEX_PRIVATE, 0};
  return syscall(KERNEL_SYS_FUTEX_WAITV, waiters, count + 1, 0, NULL, 0);
}

uint32_t words_per_watcher(void) {
  /* A kernel that knows the call answers EINVAL to an empty list. ENOSYS and EPERM come before it looks. */
  long result = syscall(KERNEL_SYS_FUTEX_WAITV, NULL, 0, 0, NULL, 0);
  return result != 0 && errno == EINVAL ? WATCHED_MAX : 1;
}
