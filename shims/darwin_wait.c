/*
 * Sleeping and waking on one word.
 *
 *   since macOS 14.4   os_sync_wait_on_address and its relatives
 *   before that        __ulock_wait and __ulock_wake, on which the former are built. No header declares them, but they
 *                      are in every release since 10.12, and C++ libraries rely on them
 *
 * Either tells words in shared memory, which it finds through the page, from words of one process, which it finds
 * through the address. All functions are looked up at the first use, so that the shim loads where some are missing.
 */
#include <dlfcn.h>

#include "posix.h"

/* os/os_sync_wait_on_address.h */
#define OS_SYNC_NONE 0u
#define OS_SYNC_SHARED 1u
#define OS_CLOCK_MACH 32u

/* bsd/sys/ulock.h of the kernel */
#define ULOCK_COMPARE_AND_WAIT 1u
#define ULOCK_COMPARE_AND_WAIT_SHARED 3u
#define ULOCK_WAKE_ALL 0x100u

typedef int (*sync_wait)(void *word, uint64_t expected, size_t bytes, uint32_t flags);
typedef int (*sync_wait_for)(void *word, uint64_t expected, size_t bytes, uint32_t flags, uint32_t clock,
                             uint64_t timeout_ns);
typedef int (*sync_wake)(void *word, size_t bytes, uint32_t flags);
typedef int (*ulock_wait)(uint32_t operation, void *word, uint64_t expected, uint32_t timeout_us);
typedef int (*ulock_wake)(uint32_t operation, void *word, uint64_t unused);

static struct {
  sync_wait wait;
  sync_wait_for wait_for;
  sync_wake wake;
  ulock_wait old_wait;
  ulock_wake old_wake;
} calls;
static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

static void look_up(void) {
  /* The library stays for ever: nothing takes back the handlers of posix_fork.c. */
  Dl_info ours;
  if (dladdr((void *)(uintptr_t)find_wait_calls, &ours))
    dlopen(ours.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  calls.wait = (sync_wait)dlsym(RTLD_DEFAULT, "os_sync_wait_on_address");
  calls.wait_for = (sync_wait_for)dlsym(RTLD_DEFAULT, "os_sync_wait_on_address_with_timeout");
  calls.wake = (sync_wake)dlsym(RTLD_DEFAULT, "os_sync_wake_by_address_all");
  calls.old_wait = (ulock_wait)dlsym(RTLD_DEFAULT, "__ulock_wait");
  calls.old_wake = (ulock_wake)dlsym(RTLD_DEFAULT, "__ulock_wake");
}

void find_wait_calls(void) { pthread_once(&looked_up, look_up); }

/* Some of the system's calls take 32 bits of microseconds, where 0 means for ever. */
static uint32_t microseconds(uint64_t timeout_ns) {
  uint64_t us = timeout_ns / 1000 + 1;
  if (timeout_ns == FOREVER_NS) return 0;
  return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

long sleep_on_word(const void *word, uint32_t expected, uint64_t timeout_ns, bool in_process) {
  void *at = (void *)(uintptr_t)word;
  uint32_t flags = in_process ? OS_SYNC_NONE : OS_SYNC_SHARED;
  find_wait_calls();
  if (calls.wait && calls.wait_for && calls.wake) {
    if (timeout_ns == FOREVER_NS) return calls.wait(at, expected, 4, flags);
    /* No time at all is refused. */
    return calls.wait_for(at, expected, 4, flags, OS_CLOCK_MACH, timeout_ns > 0 ? timeout_ns : 1);
  }
  if (calls.old_wait && calls.old_wake) {
    uint32_t operation = in_process ? ULOCK_COMPARE_AND_WAIT : ULOCK_COMPARE_AND_WAIT_SHARED;
    return calls.old_wait(operation, at, expected, microseconds(timeout_ns));
  }
  errno = ENOSYS;
  return -1;
}

long wake_word(const void *word, bool in_process) {
  void *at = (void *)(uintptr_t)word;
  long result;
  find_wait_calls();
  if (calls.wait && calls.wait_for && calls.wake) {
    result = calls.wake(at, 4, in_process ? OS_SYNC_NONE : OS_SYNC_SHARED);
  } else if (calls.old_wait && calls.old_wake) {
    uint32_t operation = in_process ? ULOCK_COMPARE_AND_WAIT : ULOCK_COMPARE_AND_WAIT_SHARED;
    result = calls.old_wake(operation | ULOCK_WAKE_ALL, at, 0);
  } else {
    errno = ENOSYS;
    return -1;
  }
  /* Nobody sleeps there. */
  return result < 0 && errno == ENOENT ? 0 : result;
}

long sleep_on_words(const awaited_word *words, uint32_t count, awaited_word control, bool several) {
  (void)count;
  (void)control;
  (void)several;
  return sleep_on_word(words[0].word, words[0].expected, FOREVER_NS, false);
}

uint32_t words_per_watcher(void) { return WATCHED_MAX; }
