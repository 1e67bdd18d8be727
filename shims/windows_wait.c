/*
 * Sleeping and waking, watching, the clock. Windows can wait on an address only inside one process. So a word that
 * somebody sleeps on or watches has a doorbell: an event that a wake-up sets, and that resets itself.
 *
 *   sleeper or watcher  1. makes …<offset>.w, or opens it
 *                       2. looks at the word (a sleeper only)
 *                       3. waits for the event; a watcher leaves that to a thread of the pool of the process
 *   waker               1. changes the word
 *                       2. opens …<offset>.w; if there is none, nobody sleeps
 *                       3. sets it
 *
 * A waker that finds none in its 2 was before the sleeper's 1, so the sleeper sees the change in its 2. Handles are
 * kept until the object is closed: the event is there as long as anybody has one. An event that was set when nobody
 * slept any more wakes the next sleeper too early, once; it looks at the word and sleeps again.
 *
 * A sleeper that dies leaves nothing: the last handle goes with it, or the next waker sets an event that nobody waits
 * for.
 */
#include "windows.h"

/* The longest single sleep: see linux_wait.c. */
#define SLEEP_MS_MAX 200

/* After everything before it. A read: the mapping may be one that cannot be written. */
static uint32_t read_word(const isthmus_object *object, uint64_t offset) {
  MemoryBarrier();
  return __atomic_load_n((const uint32_t *)(object->address + offset), __ATOMIC_SEQ_CST);
}

static doorbell *find_bell(const isthmus_object *object, uint64_t offset) {
  for (uint32_t i = 0; i < object->bell_count; i++) {
    if (object->bells[i]->offset == offset) return object->bells[i];
  }
  return NULL;
}

/* That of the word, from the table or from the system; NULL with a last error. */
static doorbell *doorbell_at(isthmus_object *object, uint64_t offset, bool create) {
  char part[32];
  wchar_t name[OBJECT_NAME_CHARS];
  doorbell *bell = find_bell(object, offset);
  if (bell) return bell;
  snprintf(part, sizeof part, "%llx.w", (unsigned long long)offset);
  name_part(object, name, part);
  HANDLE event = create ? make_event(name, object->mode) : open_event(name);
  if (!event) return NULL;
  bell = allocate(sizeof *bell);
  if (!bell ||
      !make_room((void **)&object->bells, object->bell_count, &object->bell_room, sizeof(doorbell *))) {
    release(bell);
    CloseHandle(event);
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
  }
  *bell = (doorbell){object, event, NULL, offset};
  object->bells[object->bell_count++] = bell;
  return bell;
}

int isthmus_wake(isthmus_object *object, uint64_t offset, isthmus_failure *failure) {
  doorbell *bell = doorbell_at(object, offset, false);
  if (!bell)
    return GetLastError() == ERROR_FILE_NOT_FOUND ? ISTHMUS_OK : refuse_last_error(failure, "OpenEventW");
  return SetEvent(bell->event) ? ISTHMUS_OK : refuse_last_error(failure, "SetEvent");
}

int isthmus_wait(isthmus_object *object, uint64_t offset, uint32_t expected, double timeout_ms,
                 isthmus_failure *failure) {
  if (!(timeout_ms > 0)) return ISTHMUS_OK;
  doorbell *bell = doorbell_at(object, offset, true);
  if (!bell) return refuse_last_error(failure, "CreateEventExW");
  if (read_word(object, offset) != expected) return ISTHMUS_OK;
  DWORD whole_ms = timeout_ms < SLEEP_MS_MAX ? (DWORD)timeout_ms : SLEEP_MS_MAX;
  if (whole_ms < timeout_ms && whole_ms < SLEEP_MS_MAX) whole_ms++;
  if (WaitForSingleObject(bell->event, whole_ms) != WAIT_FAILED) return ISTHMUS_OK;
  return refuse_last_error(failure, "WaitForSingleObject");
}

double isthmus_now_ms(void) {
  LARGE_INTEGER now, per_second;
  QueryPerformanceCounter(&now);
  QueryPerformanceFrequency(&per_second);
  return (double)now.QuadPart * 1e3 / (double)per_second.QuadPart;
}

/* ---- watching ------------------------------------------------------------------------------------------ */

/* On a thread of the pool, which waits for other events as well: the bell does not block. */
static void CALLBACK ring(void *context, BOOLEAN timed_out) {
  const doorbell *bell = context;
  (void)timed_out;
  bell->object->environment->bell(bell->object->environment->context);
}

int isthmus_watch(isthmus_object *object, uint64_t offset, isthmus_failure *failure) {
  doorbell *bell = doorbell_at(object, offset, true);
  if (!bell) return refuse_last_error(failure, "CreateEventExW");
  if (bell->registration) return ISTHMUS_OK;
  if (RegisterWaitForSingleObject(&bell->registration, bell->event, ring, bell, INFINITE,
                                  WT_EXECUTEINWAITTHREAD))
    return ISTHMUS_OK;
  bell->registration = NULL;
  return refuse_last_error(failure, "RegisterWaitForSingleObject");
}

/* Returns when the bell does not ring any more. */
static void stop_watching(doorbell *bell) {
  if (bell->registration) UnregisterWaitEx(bell->registration, INVALID_HANDLE_VALUE);
  bell->registration = NULL;
}

/*
 * The events of what was watched are closed as well: who changes a word that nobody watches any more must find no
 * event, or one change too many would ring when it is watched again.
 */
void isthmus_unwatch(isthmus_object *object) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < object->bell_count; i++) {
    doorbell *bell = object->bells[i];
    if (!bell->registration) {
      object->bells[kept++] = bell;
      continue;
    }
    stop_watching(bell);
    CloseHandle(bell->event);
    release(bell);
  }
  object->bell_count = kept;
}

void close_doorbells(isthmus_object *object) {
  for (uint32_t i = 0; i < object->bell_count; i++) {
    stop_watching(object->bells[i]);
    CloseHandle(object->bells[i]->event);
    release(object->bells[i]);
  }
  object->bell_count = 0;
}
