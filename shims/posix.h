/*
 * What the files of the shim for Linux and for macOS share. The files posix_*.c are compiled for both; what
 * they need from either system is in linux.h and darwin.h, or declared here and defined in linux_*.c and
 * darwin_*.c.
 */
#ifndef ISTHMUS_POSIX_H
#define ISTHMUS_POSIX_H

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "generated/locks.h"
#include "isthmus_shim.h"

#define PREFIX "isthmus."
/* Staged objects: the dot in front keeps them out of listings and out of every name that a user can give. */
#define STAGED_PREFIX ".isthmus."
#define NAME_BYTES_MAX 200
#define PATH_BYTES_MAX 4096

#ifdef __APPLE__
#include "darwin.h"
#else
#include "linux.h"
#endif

typedef enum { NAMED, STAGED, NAMELESS } object_kind;

struct isthmus_object {
  isthmus_environment *environment;
  isthmus_object *next;        /* in the environment */
  isthmus_object *next_mapped; /* in the process, under the mapping lock */
  isthmus_object *next_opened; /* in the process, under the lock of posix_fork.c */
  unsigned char *address;      /* NULL when not mapped */
  uint64_t bytes;              /* of the mapping */
  int descriptor;              /* with its own open file description, to which the locks belong */
  int memory;                  /* the descriptor of the bytes: the same, where the file has them itself */
  object_kind kind;
  bool read_only;
  bool map_read_only;
  bool created;
  char *path; /* where it can be found; NULL where no file leads to it */
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

/* posix_failure.c */
int refuse(isthmus_failure *failure, int status);
/* The code for this error number of that call. */
int status_of_os_error(const char *call, int os_error);
/* Refuses with the code for errno as it is now. */
int refuse_errno(isthmus_failure *failure, const char *call);
int refuse_os_error(isthmus_failure *failure, const char *call, int os_error, int status);

/* linux_file.c, darwin_file.c */
int facts_of_descriptor(int descriptor, file_facts *out);
int facts_of_path(const char *path, file_facts *out);
/* What stores the file; 0, or -1 with errno. Without a descriptor nothing is known of `stored_bytes`. */
int storage_of_path(const char *path, isthmus_storage *out);

/* posix_file.c */
bool is_regular(const file_facts *facts);
/* Calls open() again when a signal interrupts it; the flags that every descriptor of ours has are added. */
int open_again(const char *path, int flags, uint32_t mode);
void close_descriptor(int descriptor);
/* OFD lock of one byte, type F_RDLCK, F_WRLCK or F_UNLCK; 0, or -1 with errno. */
int set_byte_lock(int descriptor, uint64_t byte, int type);
/* All locks of the descriptor's open file. */
void drop_locks(int descriptor);
/* isthmus_read of a file. */
int read_file(int descriptor, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
              isthmus_failure *failure);

/* posix_name.c */
int path_of_name(const char *name, char path[PATH_BYTES_MAX], isthmus_failure *failure);
/* Also when something else than a folder has its name. Says what there is room for, where it is there. */
bool place_is_absent(isthmus_storage *storage);
/* As refuse_errno; but where there is no place for names at all, what is not found is NOT_SUPPORTED. */
int refuse_name(isthmus_failure *failure, const char *call);

/* linux_name.c, darwin_name.c */
/* Fails with EEXIST where there is something already. */
int rename_to_new(const char *from, const char *to);
/* Of an object that never got a name: nothing leads to it from now on. */
void discard(isthmus_object *object);

/* posix_size.c: 0, or -1 with errno */
/* Writing sets storage aside as well. */
int write_zeros(int descriptor, uint64_t from, uint64_t to);
bool may_have_holes(int descriptor, uint64_t end, uint64_t stored_bytes);
int fill_holes(int descriptor, uint64_t end, uint64_t stored_bytes);
/* Refuses for errno of `call`, and makes the file as long as it was. */
int take_growth_back(int descriptor, uint64_t bytes, const char *call, isthmus_failure *failure);

/* posix_object.c */
/* Whether the name that the object was opened by still leads to it. */
bool is_linked(const isthmus_object *object, const file_facts *facts);
/* Makes an object of a descriptor that is a regular file; else, or on any failure, closes the descriptor. */
int adopt(isthmus_environment *environment, int descriptor, object_kind kind, bool read_only,
          const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure);
/* The same for what `options` have opened at `path`; what was created gets its mode. */
int adopt_opened(isthmus_environment *environment, int descriptor, const char *path, isthmus_options options,
                 bool created, isthmus_object **out, isthmus_failure *failure);
/* A staged object has the name that was its goal, and is not held any more. */
void become_published(isthmus_object *object);
/* Opens a file, and makes it when it is absent and the options say so. */
int open_path(const char *path, isthmus_options options, int *out, bool *created, isthmus_failure *failure);

/* posix_map.c */
/* Puts private zeros there, which cost nothing until they are touched. */
bool put_zeros(void *address, uint64_t bytes);

/* posix_fork.c */
/* Between these two no other thread forks. They nest. */
void become_busy(void);
void be_idle(void);
/* A child of fork() does not inherit the object from now on. */
void note_opened(isthmus_object *object);
/* Before its descriptor is closed. */
void forget_opened(isthmus_object *object);

/* linux_wait.c, darwin_wait.c */
#define FOREVER_NS UINT64_MAX
typedef struct {
  const void *word;
  uint32_t expected;
} awaited_word;
/* All three give 0 or more, or -1 with errno. `in_process` words are never looked at by another process. */
long sleep_on_word(const void *word, uint32_t expected, uint64_t timeout_ns, bool in_process);
long wake_word(const void *word, bool in_process);
/*
 * Sleeps while each of the words is as expected, and so is `control`, which is `in_process`. Where the system
 * cannot wait for several words, on the first one only.
 */
long sleep_on_words(const awaited_word *words, uint32_t count, awaited_word control, bool several);
/* 1 where the system cannot wait for many words at once. */
uint32_t words_per_watcher(void);

/* posix_wait.c */
uint32_t read_word(const void *word);
/* A lock for a few instructions among threads of this process: 0 free, 1 held, 2 held and somebody sleeps. */
typedef _Atomic uint32_t short_lock;
void lock_shortly(short_lock *lock);
void unlock_shortly(short_lock *lock);

/* posix_watch.c */
void stop_watching(isthmus_environment *environment);

#endif
