/*
 * What the files of the shim that Linux and macOS share need from Linux. Only system calls whose arguments look
 * the same under every libc are made through libc; where glibc and musl declare a struct differently, the
 * kernel's own layout is used with syscall().
 */
#ifndef ISTHMUS_LINUX_H
#define ISTHMUS_LINUX_H

#ifndef _GNU_SOURCE
#error "compile with -D_GNU_SOURCE: the system's headers come before this one"
#endif

#include <sys/mman.h>
#include <sys/syscall.h>

/* Where names live. */
#define PLACE "/dev/shm"
/* The calls by which failures name them. */
#define FACTS_CALL "statx"
#define WAIT_CALL "futex"
/* lseek(): where the next data and the next hole are. */
#define SYSTEM_SEEK_DATA 3
#define SYSTEM_SEEK_HOLE 4
/* Words that one thread can watch, at most: one of futex_waitv's 128 is the shim's own. */
#define WATCHED_MAX 127

/* A child of fork() does not inherit the pages; where the kernel does not know it, posix_fork.c still does. */
static inline void keep_private(void *address, uint64_t bytes) {
  madvise(address, bytes, MADV_DONTFORK);
  /* The dump of a process that crashes would hold the whole segment, and its locks until it is written. */
  madvise(address, bytes, MADV_DONTDUMP);
}

/* The functions that register handlers are weak: glibc has the one, musl the other. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
    __attribute__((weak));
extern int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
    __attribute__((weak));

static inline void handle_forks(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  if (__register_atfork)
    __register_atfork(prepare, parent, child, NULL);
  else if (pthread_atfork)
    pthread_atfork(prepare, parent, child);
}

/* In a child of fork(), where libc may not be used. */
static inline void close_in_child(int descriptor) { syscall(SYS_close, descriptor); }

static inline void name_this_thread(const char *name) {
  syscall(SYS_prctl, 15 /* PR_SET_NAME */, name, 0, 0, 0);
}

/* What msync() has written is on the storage. */
static inline int sync_storage(int descriptor) {
  (void)descriptor;
  return 0;
}

static inline void set_times_to_now(int descriptor) { syscall(SYS_utimensat, descriptor, NULL, NULL, 0); }

static inline void yield_processor(void) { syscall(SYS_sched_yield); }

/* What is to do after the object is closed: a file without a name goes with its last descriptor. */
static inline void leave_place(const isthmus_object *object) { (void)object; }

/* linux_name.c */
int open_staged_file(uint32_t mode, char path[PATH_BYTES_MAX], int *descriptor, isthmus_failure *failure);

/* linux_file.c: 0, or -1 with errno */
int storage_of_descriptor(int descriptor, isthmus_storage *out);

#endif
