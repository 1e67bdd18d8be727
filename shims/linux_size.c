/* Giving objects their size, with storage behind it, and reading them without a mapping. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "posix.h"

/* Growing beyond RLIMIT_FSIZE would not only fail but also kill the process with SIGXFSZ. */
static bool is_beyond_limit(uint64_t bytes) {
  uint64_t limits[2] = {0, 0};
  if (syscall(SYS_prlimit64, 0, 1 /* RLIMIT_FSIZE */, NULL, limits) != 0) return false;
  return bytes > limits[0];
}

/*
 * A file system may give up what it has done when a signal comes (tmpfs does), so that it never ends where
 * signals come faster than it can allocate. Signals to the process go to its other threads meanwhile; SIGKILL
 * is not held back.
 */
static int set_aside(int descriptor, uint64_t bytes) {
  sigset_t all, before;
  int result;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  /* From zero: a sparse file gets storage for all of it. */
  do result = (int)syscall(SYS_fallocate, descriptor, 0, (int64_t)0, (int64_t)bytes);
  while (result != 0 && errno == EINTR);
  int os_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = os_error;
  return result;
}

/* Whether errno says that there is no fallocate() here: by the file system, by the kernel, or by a sandbox. */
static bool lacks_fallocate(void) {
  return errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM || errno == EINVAL;
}

int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  int descriptor = object->descriptor;
  file_facts facts;
  if (facts_of_descriptor(descriptor, &facts) != 0) return refuse_errno(failure, FACTS_CALL);
  if (facts.bytes >= bytes && !may_have_holes(descriptor, bytes, facts.stored_bytes)) return ISTHMUS_OK;
  if (is_beyond_limit(bytes))
    return refuse_os_error(failure, "fallocate", EFBIG, ISTHMUS_OUT_OF_SHARED_MEMORY);
  const char *call = "fallocate";
  int result = set_aside(descriptor, bytes);
  if (result != 0 && lacks_fallocate()) {
    call = "pwrite";
    result = fill_holes(descriptor, facts.bytes < bytes ? facts.bytes : bytes, facts.stored_bytes);
    if (result == 0 && facts.bytes < bytes) result = write_zeros(descriptor, facts.bytes, bytes);
  }
  if (result == 0) return ISTHMUS_OK;
  return take_growth_back(descriptor, facts.bytes, call, failure);
}

int isthmus_read(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                 isthmus_failure *failure) {
  return read_file(object->descriptor, offset, into, bytes, copied, failure);
}
