/*
 * Guards: mutexes that are held for a few instructions of one call, so that it does not matter that a mutex belongs to
 * a thread. What they guard is changed in steps of which each leaves it usable. So a guard whose holder died
 * (WAIT_ABANDONED) is as good as any.
 */
#include "windows.h"

/* How long a holder may be stopped, by a debugger for instance, before those that wait get an error. Milliseconds. */
#define STOPPED_MS 10000

HANDLE make_event(const wchar_t *name, uint32_t mode) {
  SECURITY_ATTRIBUTES *security = security_for(SECURED_SIGNAL, mode);
  if (!security) return NULL;
  return CreateEventExW(security, name, 0, SYNCHRONIZE | EVENT_MODIFY_STATE);
}

HANDLE open_event(const wchar_t *name) { return OpenEventW(SYNCHRONIZE | EVENT_MODIFY_STATE, FALSE, name); }

HANDLE make_mutex(const wchar_t *name, uint32_t mode) {
  SECURITY_ATTRIBUTES *security = security_for(SECURED_SIGNAL, mode);
  if (!security) return NULL;
  return CreateMutexExW(security, name, 0, SYNCHRONIZE | MUTEX_MODIFY_STATE);
}

int take_guard(HANDLE guard, isthmus_failure *failure) {
  DWORD result = WaitForSingleObject(guard, STOPPED_MS);
  if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED) return ISTHMUS_OK;
  if (result == WAIT_TIMEOUT)
    return refuse_os_error(failure, "WaitForSingleObject", WAIT_TIMEOUT, ISTHMUS_SYSTEM);
  return refuse_last_error(failure, "WaitForSingleObject");
}

void leave_guard(HANDLE guard) { ReleaseMutex(guard); }
