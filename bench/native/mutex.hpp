// A mutex that processes share and that tells of an owner who died: the nearest that POSIX has to our lock.
#pragma once
#include "pair.hpp"
#include <cerrno>
#include <pthread.h>

/** `at` is shared, zeroed memory of at least sizeof(pthread_mutex_t). */
inline pthread_mutex_t *robust_mutex(void *at) {
  auto *mutex = static_cast<pthread_mutex_t *>(at);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (pthread_mutex_init(mutex, &attributes) != 0) fail("pthread_mutex_init");
  return mutex;
}

/** Whether the owner before died: it says so as our lock does, and the data are called consistent at once. */
inline bool lock_robust(pthread_mutex_t *mutex) {
  const int result = pthread_mutex_lock(mutex);
  if (result == 0) return false;
  if (result != EOWNERDEAD) fail("pthread_mutex_lock");
  pthread_mutex_consistent(mutex);
  return true;
}
