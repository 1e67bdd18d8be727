/*
 * fork() without exec: the child is no participant. It must not keep the locks of its parent alive, which
 * belong to the open file and not to the process: as long as any process has a descriptor or a mapping of
 * that opening, the kernel says that its owner lives, and nobody recovers what the parent held when it died.
 *
 *   every mapping  is not inherited (keep_private): whoever clones without the handlers below has a hole there
 *   every call that opens, maps or closes
 *                  1. counts itself as busy
 *                  2. opens, locks, maps; the object comes to the list, or goes from it
 *                  3. counts itself no more, and rings for a fork that waits
 *   parent         1. waits until nobody is busy, so that each descriptor and each mapping is in the list, and
 *                     takes the lock of the list: nobody becomes busy then
 *                  2. forks
 *                  3. gives the lock back
 *   child          3. puts zeros where each mapping was, so that a view reads zeros instead of ending the process
 *                  4. closes each descriptor: every call for such an object fails with EBADF from now on
 *                  5. gives the lock back
 *
 * If the child dies before step 4, its descriptors go with it. Programs that exec lose them: they are close-on-exec.
 *
 * The library is never unloaded (-z nodelete on Linux, find_wait_calls on macOS), since nothing takes a handler back.
 */
#include "posix.h"

/* Every object of the process, under the lock. */
static isthmus_object *opened_objects;
static short_lock opened_lock;
static bool registered;

/* How many calls are busy, under the lock; and whether a fork waits for them, asleep on the bell. */
static uint32_t busy_calls;
static bool fork_waits;
static _Atomic uint32_t bell;

static void prepare_to_fork(void) {
  for (;;) {
    lock_shortly(&opened_lock);
    if (busy_calls == 0) return;
    fork_waits = true;
    uint32_t rung = atomic_load(&bell);
    unlock_shortly(&opened_lock);
    sleep_on_word((const void *)&bell, rung, FOREVER_NS, true);
  }
}

static void in_parent(void) { unlock_shortly(&opened_lock); }

/* Only system calls: the other threads are gone, with whatever they had locked. */
static void in_child(void) {
  for (isthmus_object *object = opened_objects; object; object = object->next_opened) {
    if (object->address) put_zeros(object->address, object->bytes);
    close_in_child(object->descriptor);
    if (object->memory != object->descriptor) close_in_child(object->memory);
    object->descriptor = object->memory = -1;
  }
  unlock_shortly(&opened_lock);
}

void become_busy(void) {
  lock_shortly(&opened_lock);
  if (!registered) {
    registered = true;
    handle_forks(prepare_to_fork, in_parent, in_child);
  }
  busy_calls++;
  unlock_shortly(&opened_lock);
}

void be_idle(void) {
  lock_shortly(&opened_lock);
  bool ring = --busy_calls == 0 && fork_waits;
  if (ring) {
    fork_waits = false;
    atomic_fetch_add(&bell, 1);
  }
  unlock_shortly(&opened_lock);
  if (ring) wake_word((const void *)&bell, true);
}

void note_opened(isthmus_object *object) {
  lock_shortly(&opened_lock);
  object->next_opened = opened_objects;
  opened_objects = object;
  unlock_shortly(&opened_lock);
}

void forget_opened(isthmus_object *object) {
  lock_shortly(&opened_lock);
  isthmus_object **link = &opened_objects;
  while (*link != object) link = &(*link)->next_opened;
  *link = object->next_opened;
  unlock_shortly(&opened_lock);
}
