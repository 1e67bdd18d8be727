/*
 * The contract of every shim: what Isthmus needs from an operating system, and nothing of how it is done.
 *
 *   object        what processes share: bytes, a name or none, kernel-held locks, and words to sleep on
 *   environment   one JavaScript thread. It owns the objects that it opened and, when it watches words, the
 *                 threads that watch them. No two threads use one environment at a time. Different
 *                 environments are independent, and may be in one process
 *
 *   sizes, offsets   bytes
 *   times            milliseconds
 *   strings          UTF-8 with a NUL at the end
 *
 * A function that can fail returns ISTHMUS_OK or a code of generated/errors.h, and then says in `failure`
 * (never NULL) which call of the system refused and with which number; `call` is a string that lives for ever.
 * A failed call has changed nothing, unless it says so. Only `isthmus_wait` sleeps.
 *
 * The twin for TypeScript is ts/host/native.ts. A change of this contract raises its number in
 * protocol/shim.ts, which the loader compares.
 */
#ifndef ISTHMUS_SHIM_H
#define ISTHMUS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "generated/contract.h"
#include "generated/errors.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ISTHMUS_OK 0

/* Locks of one object are numbered 0 … ISTHMUS_LOCK_MAX. */
#define ISTHMUS_LOCK_MAX (1u << 20)

/* Bytes that hold any text of isthmus_handle, with its NUL. */
#define ISTHMUS_HANDLE_BYTES 128

typedef struct isthmus_environment isthmus_environment;
typedef struct isthmus_object isthmus_object;

typedef struct {
  int32_t status;   /* the code that the function returned */
  int32_t os_error; /* what the system reported, 0 when the refusal is ours */
  const char *call; /* the name of the refusing call, "" when the refusal is ours */
} isthmus_failure;

/* The scope in which a name is seen: only this login session, or the whole machine. Systems without sessions ignore it. */
enum { ISTHMUS_LOCAL = 0, ISTHMUS_GLOBAL = 1 };

typedef struct {
  bool create;    /* make the object when it is absent: empty, with exactly `mode` */
  bool read_only; /* neither map for writing nor take exclusive locks */
  /* Permission bits, rwxrwxrwx. Systems without them give others access when others have any bit. */
  uint32_t mode;
} isthmus_options;

typedef struct {
  uint64_t bytes;
  uint32_t owner; /* user id, 0 where the system has none */
  uint32_t mode;
  bool linked;  /* the name still leads to this object; true for objects that were opened without a name */
  bool trusted; /* owned by this user or by the superuser */
  bool created; /* by this opening of it, which found nothing */
} isthmus_info;

/* What the bytes of an object are stored in. Numbers that the system does not know are 0. */
typedef struct {
  uint64_t stored_bytes; /* what the object takes there now */
  uint64_t total_bytes;
  uint64_t free_bytes; /* for this user */
  uint64_t total_files;
  uint64_t free_files;
  bool in_memory; /* memory, which counts against limits of memory; else a disk, a network … */
  bool layered;   /* a read-only mapping may show a lower layer for ever, which writers do not write to */
  bool read_only;
} isthmus_storage;

typedef struct {
  const char *place; /* where names live; "" when there is no such place */
  isthmus_storage storage;
  uint32_t words_per_watcher; /* how many words one thread can watch */
} isthmus_limits;

/* ---- environments -------------------------------------------------------------------------------------- */

/*
 * `bell(context)` runs on a thread of the shim after a watched word changed: it must not block and must not
 * call the shim. It may be called once for many changes, never zero times for one.
 */
typedef void (*isthmus_bell)(void *context);
int isthmus_environment_open(isthmus_bell bell, void *context, isthmus_environment **out,
                             isthmus_failure *failure);
/* Closes every object of it. When this returns, no thread of the environment runs and nothing of it is mapped. */
void isthmus_environment_close(isthmus_environment *environment);

/* ---- opening ------------------------------------------------------------------------------------------- */

/*
 * Names have 1 … 200 bytes, no separator of directories and no control character: else INVALID_NAME. An
 * object of that name which is not plain shared memory (a link, a directory, a file that has another name as
 * well …) is refused with ACCESS_DENIED and never followed.
 */
int isthmus_open_named(isthmus_environment *environment, const char *name, uint32_t name_space,
                       isthmus_options options, isthmus_object **out, isthmus_failure *failure);
int isthmus_open_file(isthmus_environment *environment, const char *path, isthmus_options options,
                      isthmus_object **out, isthmus_failure *failure);
int isthmus_open_anonymous(isthmus_environment *environment, isthmus_object **out, isthmus_failure *failure);
/*
 * An empty object that nobody can find yet; isthmus_publish gives it `name` in one step. When its owner dies
 * before that, a later isthmus_list removes it.
 */
int isthmus_open_staged(isthmus_environment *environment, const char *name, uint32_t name_space,
                        uint32_t mode, isthmus_object **out, isthmus_failure *failure);
/* With `replace` it takes the name from whatever has it, else a name that is taken is ALREADY_EXISTS. */
int isthmus_publish(isthmus_object *object, bool replace, isthmus_failure *failure);
/*
 * A text with which isthmus_open_handle finds the object in another process of the same user, child or not,
 * as long as this one has it open; where objects have no owner, as long as anybody has. No child inherits
 * anything by it. Objects opened through it share bytes with the first, and no lock. NOT_SUPPORTED where the
 * system can find no object by a text.
 */
int isthmus_handle(isthmus_object *object, char text[ISTHMUS_HANDLE_BYTES], isthmus_failure *failure);
/* INVALID_NAME when the text is not one of isthmus_handle, NOT_FOUND when what it names is gone. */
int isthmus_open_handle(isthmus_environment *environment, const char *text, bool read_only,
                        isthmus_object **out, isthmus_failure *failure);
/* Stops watching, unmaps, drops all locks of the object, frees it. */
void isthmus_close(isthmus_object *object);

/* ---- the object ---------------------------------------------------------------------------------------- */

int isthmus_object_info(isthmus_object *object, isthmus_info *out, isthmus_failure *failure);
int isthmus_object_storage(isthmus_object *object, isthmus_storage *out, isthmus_failure *failure);
/*
 * Makes the object at least `bytes` (> 0) long, with storage really set aside: OUT_OF_SHARED_MEMORY instead
 * of a crash at first touch, also where an object that is long enough has holes. New bytes are zero. Never
 * shrinks. On failure the size is what it was. Signals wait until it is done. The caller has made sure that
 * nobody writes to the object meanwhile.
 */
int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure);
/*
 * Makes a longer object exactly `bytes` long and gives the storage behind it back. The caller has made sure
 * that nobody, in any process, has the rest mapped: a process that touched it would be killed. BUSY when this
 * object itself is mapped. On failure the size is what it was.
 */
int isthmus_shrink(isthmus_object *object, uint64_t bytes, isthmus_failure *failure);
/*
 * Copies what lies at `offset`. It needs no mapping, so that a process that truncates the object meanwhile
 * harms nobody. `*copied` is less than `bytes` where the object ends.
 */
int isthmus_read(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                 isthmus_failure *failure);
/*
 * Removes the name that the object was opened by, if the name still leads to it: `*removed`. The caller holds
 * a lock that keeps others from giving the name to a new object meanwhile.
 */
int isthmus_remove(isthmus_object *object, bool *removed, isthmus_failure *failure);

/* ---- locks: the kernel drops them when the object is closed or its process ends, in any way ------------ */

/*
 * Takes lock `index` (at most ISTHMUS_LOCK_MAX) or, when this object has it already, changes its mode. Never
 * waits: `*taken` is false when another object is in the way, and a lock held before stays as it was then. An
 * exclusive lock of a read-only object is READ_ONLY.
 */
int isthmus_lock(isthmus_object *object, uint32_t index, bool shared, bool *taken, isthmus_failure *failure);
int isthmus_unlock(isthmus_object *object, uint32_t index, isthmus_failure *failure);
/*
 * Whether an object other than this one, here or in any process, has the lock: in any mode, or only
 * `exclusively`. A process that may only read can take shared locks and no others.
 */
int isthmus_held(isthmus_object *object, uint32_t index, bool exclusively, bool *held,
                 isthmus_failure *failure);

/* ---- mapping ------------------------------------------------------------------------------------------- */

/*
 * Puts the object in the place of the `bytes` at `address`, which must be whole pages and exactly as long as
 * the object: else NOT_SUPPORTED. BUSY when the object is mapped, or any object at that address. BUSY with a call
 * that refused: another thread took the addresses in between, and the memory there is lost. Nobody may touch it or
 * free it; the caller tries another one.
 */
int isthmus_map(isthmus_object *object, void *address, uint64_t bytes, bool read_only,
                isthmus_failure *failure);
/*
 * Between these two no other thread of the process is between them: a memory that is made and mapped there is not in
 * the way of another one. They do not nest.
 */
void isthmus_begin_mapping(void);
void isthmus_end_mapping(void);
/* Puts private zero pages back, readable and writable as before. Nothing happens when it is not mapped. */
int isthmus_unmap(isthmus_object *object, isthmus_failure *failure);
/* Bytes of the mapping, 0 when the object is not mapped. */
uint64_t isthmus_mapped_bytes(const isthmus_object *object);
/*
 * Returns when what was written to the mapping is on the storage behind the object, and the time of its last
 * change says so.
 */
int isthmus_flush(isthmus_object *object, isthmus_failure *failure);
/*
 * Sets the time of the object's last change to now. Some file systems do not notice writes to a mapping, and
 * programs that copy what is newer rely on that time. Nothing happens where the system refuses.
 */
void isthmus_touch(isthmus_object *object);

/* ---- waiting: `offset` is a multiple of 4, inside the mapping ------------------------------------------ */

/*
 * Wakes the thread, in whatever process, that sleeps on the word or watches it. No two threads do so with one
 * word, so a system will do whose wake-ups reach one thread only; where several sleep here, all of them wake.
 */
int isthmus_wake(isthmus_object *object, uint64_t offset, isthmus_failure *failure);
/* Sleeps while the word is `expected`, at most `timeout_ms`. It may return early: the caller looks at the word. */
int isthmus_wait(isthmus_object *object, uint64_t offset, uint32_t expected, double timeout_ms,
                 isthmus_failure *failure);
/*
 * Milliseconds since some moment, which never goes back and which no program can set. Processes of one
 * machine read the same clock.
 */
double isthmus_now_ms(void);

/* Rings the environment's bell after each change of the word from now on that is followed by isthmus_wake. */
int isthmus_watch(isthmus_object *object, uint64_t offset, isthmus_failure *failure);
/* Forgets all watched words of the object. The bell may still ring once for an earlier change. */
void isthmus_unwatch(isthmus_object *object);

/* ---- names --------------------------------------------------------------------------------------------- */

/* Calls `each` with every name, without our prefix. Removes staged objects whose owner died. */
int isthmus_list(uint32_t name_space, void (*each)(void *context, const char *name), void *context,
                 isthmus_failure *failure);
int isthmus_unlink(const char *name, uint32_t name_space, isthmus_failure *failure);
void isthmus_system_limits(isthmus_limits *out);

#ifdef __cplusplus
}
#endif

#endif
