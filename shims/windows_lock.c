/*
 * Locks: the existence of a named event. Who holds lock <index> of an object keeps a handle of
 *
 *   …<index>.s    held shared: any number of handles
 *   …<index>.x    held exclusively: one handle
 *
 * and nobody ever sets or waits for these events. All that looks or changes happens under the guard of the object.
 *
 *   shared        1. if .x exists and is not this object's, it is not to be had
 *                 2. opens .s
 *                 3. closes .x, if this object has it
 *   exclusively   1. makes .x; if it existed and is not this object's, it is not to be had
 *                 2. closes .s, if this object has it
 *                 3. opens .s; if it is still there, others hold it: keeps it again, closes .x
 *   held          the same, and puts everything back
 *
 * To close an object drops all of its locks in one step, under the guard. The kernel closes the handles of a process
 * that ends, in whatever way, one after the other: others may see some of its locks for a moment longer than others.
 * If it ends between two steps, it holds at most what it was about to hold, until it is gone; its guard is abandoned,
 * and nothing is lost.
 *
 * Why not a mutex: it belongs to a thread, and ours belong to an environment; it has no shared mode; and to ask for it
 * is to take it for a moment, so that two that ask take each other for the holder. Why not LockFileEx: it does not
 * change its mode in place, and named segments have no file.
 *
 * Two objects of one process exclude each other as two processes do: each has handles of its own.
 */
#include "windows.h"

static void lock_name(const isthmus_object *object, uint32_t index, bool shared,
                      wchar_t out[OBJECT_NAME_CHARS]) {
  char part[24];
  snprintf(part, sizeof part, "%u.%s", (unsigned)index, shared ? "s" : "x");
  name_part(object, out, part);
}

static held_lock *own_lock(isthmus_object *object, uint32_t index) {
  for (uint32_t i = 0; i < object->lock_count; i++) {
    if (object->locks[i].index == index) return &object->locks[i];
  }
  return NULL;
}

/* Whether the event is there: 1, 0, or -1 with a last error. What this user may not open is there. */
static int exists(const wchar_t *name) {
  HANDLE found = open_event(name);
  if (found) CloseHandle(found);
  if (found || GetLastError() == ERROR_ACCESS_DENIED) return 1;
  return GetLastError() == ERROR_FILE_NOT_FOUND ? 0 : -1;
}

static int refuse_lock(isthmus_failure *failure) { return refuse_last_error(failure, "CreateEventExW"); }

/*
 * Whether others have it shared too: gives the own handle back and looks. `*handle` is NULL when nobody has; else it
 * is again one of this object.
 */
static void share_alone(const wchar_t *name, HANDLE *handle) {
  CloseHandle(*handle);
  *handle = open_event(name);
}

static int take_shared(isthmus_object *object, uint32_t index, held_lock *own, bool *taken,
                       isthmus_failure *failure) {
  wchar_t shared_name[OBJECT_NAME_CHARS], name[OBJECT_NAME_CHARS];
  lock_name(object, index, true, shared_name);
  lock_name(object, index, false, name);
  if (own && own->shared) return ISTHMUS_OK;
  int met = own ? 0 : exists(name);
  if (met < 0) return refuse_last_error(failure, "OpenEventW");
  *taken = met == 0;
  if (!*taken) return ISTHMUS_OK;
  HANDLE made = make_event(shared_name, object->mode);
  if (!made) return refuse_lock(failure);
  if (own) {
    CloseHandle(own->handle);
    *own = (held_lock){made, index, true};
  } else {
    object->locks[object->lock_count++] = (held_lock){made, index, true};
  }
  return ISTHMUS_OK;
}

static int take_alone(isthmus_object *object, uint32_t index, held_lock *own, bool *taken,
                      isthmus_failure *failure) {
  wchar_t shared_name[OBJECT_NAME_CHARS], name[OBJECT_NAME_CHARS];
  lock_name(object, index, true, shared_name);
  lock_name(object, index, false, name);
  if (own && !own->shared) return ISTHMUS_OK;
  HANDLE made = make_event(name, object->mode);
  bool existed = made && GetLastError() == ERROR_ALREADY_EXISTS;
  if (!made && GetLastError() != ERROR_ACCESS_DENIED) return refuse_lock(failure);
  bool shared = false;
  if (made && !existed && own) {
    share_alone(shared_name, &own->handle);
    shared = own->handle != NULL;
  } else if (made && !existed) {
    int met = exists(shared_name);
    if (met < 0) {
      refuse_last_error(failure, "OpenEventW");
      CloseHandle(made);
      return failure->status;
    }
    shared = met != 0;
  }
  *taken = made && !existed && !shared;
  if (!*taken) {
    if (made) CloseHandle(made);
  } else if (own) {
    *own = (held_lock){made, index, false};
  } else {
    object->locks[object->lock_count++] = (held_lock){made, index, false};
  }
  return ISTHMUS_OK;
}

int isthmus_lock(isthmus_object *object, uint32_t index, bool shared, bool *taken, isthmus_failure *failure) {
  *taken = true;
  if (object->read_only && !shared) return refuse(failure, ISTHMUS_READ_ONLY);
  if (refresh(object, failure) != ISTHMUS_OK) return failure->status;
  /* Now: a lock must not fail for want of memory when it is half taken. */
  if (!make_room((void **)&object->locks, object->lock_count, &object->lock_room, sizeof(held_lock)))
    return refuse_os_error(failure, "HeapAlloc", ERROR_NOT_ENOUGH_MEMORY, ISTHMUS_SYSTEM);
  int status = take_guard(object->guard, failure);
  if (status != ISTHMUS_OK) return status;
  held_lock *own = own_lock(object, index);
  status = shared ? take_shared(object, index, own, taken, failure)
                  : take_alone(object, index, own, taken, failure);
  leave_guard(object->guard);
  return status;
}

int isthmus_unlock(isthmus_object *object, uint32_t index, isthmus_failure *failure) {
  (void)failure;
  held_lock *own = own_lock(object, index);
  if (!own) return ISTHMUS_OK;
  CloseHandle(own->handle);
  *own = object->locks[--object->lock_count];
  return ISTHMUS_OK;
}

void drop_locks(isthmus_object *object) {
  isthmus_failure ignored;
  bool guarded = object->lock_count > 0 && take_guard(object->guard, &ignored) == ISTHMUS_OK;
  for (uint32_t i = 0; i < object->lock_count; i++) CloseHandle(object->locks[i].handle);
  object->lock_count = 0;
  if (guarded) leave_guard(object->guard);
}

int isthmus_held(isthmus_object *object, uint32_t index, bool exclusively, bool *held,
                 isthmus_failure *failure) {
  wchar_t shared_name[OBJECT_NAME_CHARS], name[OBJECT_NAME_CHARS];
  *held = false;
  int status = take_guard(object->guard, failure);
  if (status != ISTHMUS_OK) return status;
  held_lock *own = own_lock(object, index);
  lock_name(object, index, true, shared_name);
  lock_name(object, index, false, name);
  int met = own ? 0 : exists(name);
  if (met == 0 && !exclusively && !own) met = exists(shared_name);
  if (met < 0) refuse_last_error(failure, "OpenEventW");
  if (own && own->shared && !exclusively) {
    share_alone(shared_name, &own->handle);
    met = own->handle != NULL;
    if (!own->handle) own->handle = make_event(shared_name, object->mode);
    if (!own->handle) {
      met = -1;
      refuse_lock(failure);
      *own = object->locks[--object->lock_count];
    }
  }
  leave_guard(object->guard);
  *held = met > 0;
  return met < 0 ? failure->status : ISTHMUS_OK;
}
