/*
 * What the files of the shim that macOS and Linux share need from macOS, and what the files darwin_*.c share.
 *
 * Numbers and functions that older headers lack are declared here; functions that older systems lack are looked
 * up when they are needed (darwin_wait.c).
 */
#ifndef ISTHMUS_DARWIN_H
#define ISTHMUS_DARWIN_H

#include <fcntl.h>
#include <mach/vm_types.h>
#include <mach/vm_inherit.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Where names live: everybody may write there, and nothing is removed there after three days, as in /tmp. */
#ifndef PLACE
#define PLACE "/private/var/tmp"
#endif
/* The calls by which failures name them. */
#define FACTS_CALL "fstat"
#define WAIT_CALL "os_sync_wait_on_address"
/* lseek(): where the next data and the next hole are. */
#define SYSTEM_SEEK_DATA SEEK_DATA
#define SYSTEM_SEEK_HOLE SEEK_HOLE
/* Words that one thread can watch. */
#define WATCHED_MAX 1

/* Locks of the open file. Apple's headers have them since macOS 10.15, the kernel some releases longer. */
#ifndef F_OFD_SETLK
#define F_OFD_SETLK 90
#endif
#ifndef F_OFD_GETLK
#define F_OFD_GETLK 92
#endif

/* darwin_wait.c: finds the calls. In a child of fork() they could not be looked up. */
void find_wait_calls(void);

/* A child of fork() does not inherit the pages. */
static inline void keep_private(void *address, uint64_t bytes) { minherit(address, bytes, VM_INHERIT_NONE); }

static inline void handle_forks(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  find_wait_calls();
  pthread_atfork(prepare, parent, child);
}

static inline void close_in_child(int descriptor) { close(descriptor); }

static inline void name_this_thread(const char *name) { pthread_setname_np(name); }

/* msync() leaves the bytes in the cache of the disk. A file system without the call has no such cache. */
static inline int sync_storage(int descriptor) {
  return fcntl(descriptor, F_FULLFSYNC) == 0 ? 0 : fsync(descriptor);
}

static inline void set_times_to_now(int descriptor) { futimens(descriptor, NULL); }

static inline void yield_processor(void) { sched_yield(); }

/* darwin_index.c */
/* Bytes of "/isthmus.<id>" with its NUL. */
#define MEMORY_NAME_BYTES 32
/* What an index file leads to. */
typedef struct {
  int index;  /* the descriptor of the index file */
  int memory; /* that of the shared memory */
} opened_pair;
/* Makes an index without a name and its empty memory, held as steps 1 … 4 say. */
int make_staged(uint32_t mode, char path[PATH_BYTES_MAX], opened_pair *out, isthmus_failure *failure);
/* Opens the memory that the index names: 0, or -1 with errno; ENOENT when there is none any more. */
int open_memory(int index, int access);
/* Removes an index that nobody holds at a staged path, and its memory. */
void sweep(const char *path);
/* Opens an index and waits for the hold; -1 with errno, EINVAL for what is no file. */
int hold_index(const char *path);
/* Takes an index away whose memory is gone. Whether it did. */
bool clear_leftover(const char *path);
/* A new one, with a random id. */
void staged_path(char path[PATH_BYTES_MAX]);
void close_pair(const opened_pair *pair);
/* Steps 3 and 4 of replace, and of remove; whoever calls it holds the index. */
void remove_staged(const char *path, int index);
/* Whether `path` leads to this file. */
bool leads_to(const char *path, int index);
/* Whether the text begins with the digits of an id. */
bool is_id(const char *text);

/* darwin_object.c: as adopt, of a kind of posix.h; on a failure the memory is closed as well */
int adopt_pair(isthmus_environment *environment, opened_pair pair, uint32_t kind, bool read_only,
               const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure);

/* darwin_name.c: an object without a name goes with the last one who has it open. */
void leave_place(const isthmus_object *object);

#endif
