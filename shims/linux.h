/*
 * What the Linux files of the shim share. Only system calls whose arguments look the same under every libc
 * are made through libc; where glibc and musl declare a struct differently, the kernel's own layout is used
 * with syscall().
 */
#ifndef ISTHMUS_LINUX_H
#define ISTHMUS_LINUX_H

#ifndef _GNU_SOURCE
#error "compile with -D_GNU_SOURCE: the system's headers come before this one"
#endif

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "generated/locks.h"
#include "isthmus_shim.h"

#define PLACE "/dev/shm"
#define PREFIX "isthmus."
/* Staged objects: the dot in front keeps them out of listings and out of every name that a user can give. */
#define STAGED_PREFIX ".isthmus."
#define NAME_BYTES_MAX 200
#define PATH_BYTES_MAX 4096

typedef enum { NAMED, STAGED, NAMELESS } object_kind;

struct isthmus_object {
  isthmus_environment *environment;
  isthmus_object *next;        /* in the environment */
  isthmus_object *next_mapped; /* in the process, under the mapping lock */
  isthmus_object *next_opened; /* in the process, under the lock of linux_fork.c */
  unsigned char *address;      /* NULL when not mapped */
  uint64_t bytes;              /* of the mapping */
  int descriptor;              /* with its own open file description, to which the locks belong */
  object_kind kind;
  bool read_only;
  bool map_read_only;
  bool created;
  char *path; /* where it can be found; NULL when NAMELESS */
  char *goal; /* of a STAGED object: the path that publish gives it */
};

typedef struct watcher watcher;

struct isthmus_environment {
  isthmus_object *objects;
  watcher *watchers;
  isthmus_bell bell;
  void *context;
};

/* What there is to know of a file, whatever the layout of the system's own struct. */
typedef struct {
  uint64_t bytes, stored_bytes, inode, device;
  uint32_t links, owner, mode;
} file_facts;

/* linux_failure.c */
int refuse(isthmus_failure *failure, int status);
/* The code for this error number of that call. */
int status_of_os_error(const char *call, int os_error);
/* Refuses with the code for errno as it is now. */
int refuse_errno(isthmus_failure *failure, const char *call);
int refuse_os_error(isthmus_failure *failure, const char *call, int os_error, int status);

/* linux_file.c */
int facts_of_descriptor(int descriptor, file_facts *out);
int facts_of_path(const char *path, file_facts *out);
bool is_regular(const file_facts *facts);
/* What stores the file; 0, or -1 with errno. Without a descriptor nothing is known of `stored_bytes`. */
int storage_of_path(const char *path, isthmus_storage *out);
int storage_of_descriptor(int descriptor, isthmus_storage *out);
/* Calls open() again when a signal interrupts it; the flags that every descriptor of ours has are added. */
int open_again(const char *path, int flags, uint32_t mode);
void close_descriptor(int descriptor);
/* OFD lock of one byte, type F_RDLCK, F_WRLCK or F_UNLCK; 0, or -1 with errno. */
int set_byte_lock(int descriptor, uint64_t byte, int type);

/* All locks of the descriptor's open file. */
void drop_locks(int descriptor);

/* linux_name.c */
int path_of_name(const char *name, char path[PATH_BYTES_MAX], isthmus_failure *failure);
/* As refuse_errno; but where there is no place for names at all, what is not found is NOT_SUPPORTED. */
int refuse_name(isthmus_failure *failure, const char *call);
int open_staged_file(uint32_t mode, char path[PATH_BYTES_MAX], int *descriptor, isthmus_failure *failure);

/* Fails with EEXIST where there is something already. */
int rename_to_new(const char *from, const char *to);

/* linux_object.c */
/* Whether the name that the object was opened by still leads to it. */
bool is_linked(const isthmus_object *object, const file_facts *facts);
/* Makes an object of a descriptor that is a regular file; else, or on any failure, closes the descriptor. */
int adopt(isthmus_environment *environment, int descriptor, object_kind kind, bool read_only,
          const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure);

/* linux_map.c */
/* Puts private zeros there, which cost nothing until they are touched. */
bool put_zeros(void *address, uint64_t bytes);

/* linux_fork.c */
/* Between these two no other thread forks. They nest. */
void become_busy(void);
void be_idle(void);
/* A child of fork() does not inherit the object from now on. */
void note_opened(isthmus_object *object);
/* Before its descriptor is closed. */
void forget_opened(isthmus_object *object);

/* linux_wait.c */
#define FOREVER_NS UINT64_MAX
/* Both give what futex() gives. `in_process` words are never looked at by another process. */
long sleep_on_word(const void *word, uint32_t expected, uint64_t timeout_ns, bool in_process);
long wake_word(const void *word, bool in_process);
uint32_t read_word(const void *word);
/* A lock for a few instructions among threads of this process: 0 free, 1 held, 2 held and somebody sleeps. */
typedef _Atomic uint32_t short_lock;
void lock_shortly(short_lock *lock);
void unlock_shortly(short_lock *lock);

/* linux_watch.c */
void stop_watching(isthmus_environment *environment);
/* 1 where the kernel cannot wait for many words at once. */
uint32_t words_per_watcher(void);

#endif
