/* Objects: giving them their size, with storage behind it, and reading them without a mapping. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "linux.h"

/* Growing beyond RLIMIT_FSIZE would not only fail but also kill the process with SIGXFSZ. */
static bool is_beyond_limit(uint64_t bytes) {
  uint64_t limits[2] = {0, 0};
  if (syscall(SYS_prlimit64, 0, 1 /* RLIMIT_FSIZE */, NULL, limits) != 0) return false;
  return bytes > limits[0];
}

/* For file systems without fallocate: writing sets storage aside as well. */
static int write_zeros(int descriptor, uint64_t from, uint64_t to) {
  static char zeros[16384]; /* not const: so it takes no room in the file */
  while (from < to) {
    uint64_t rest = to - from;
    ssize_t written = pwrite(descriptor, zeros, rest < sizeof zeros ? rest : sizeof zeros, (off_t)from);
    if (written < 0 && errno != EINTR) return -1;
    if (written > 0) from += (uint64_t)written;
  }
  return 0;
}

/*
 * A file system may give up what it has done when a signal comes (tmpfs does), so that it never ends where signals
 * come faster than it can allocate. Those to the process go to other threads meanwhile; SIGKILL is not held back.
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

int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  file_facts facts;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "statx");
  if (facts.bytes >= bytes && facts.stored_bytes >= bytes) return ISTHMUS_OK;
  if (is_beyond_limit(bytes))
    return refuse_os_error(failure, "fallocate", EFBIG, ISTHMUS_OUT_OF_SHARED_MEMORY);
  int result = set_aside(object->descriptor, bytes);
  if (result != 0 && errno == EOPNOTSUPP) result = write_zeros(object->descriptor, facts.bytes, bytes);
  if (result == 0) return ISTHMUS_OK;
  if (errno == ENOMEM)
    refuse_os_error(failure, "fallocate", ENOMEM, ISTHMUS_OUT_OF_SHARED_MEMORY);
  else
    refuse_errno(failure, "fallocate");
  if (facts.bytes >= bytes) return failure->status;
  do result = ftruncate(object->descriptor, (off_t)facts.bytes);
  while (result != 0 && errno == EINTR);
  return failure->status;
}

int isthmus_read(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                 isthmus_failure *failure) {
  *copied = 0;
  while (*copied < bytes) {
    char *at = (char *)into + *copied;
    ssize_t got = pread(object->descriptor, at, bytes - *copied, (off_t)(offset + *copied));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_errno(failure, "pread");
    if (got == 0) return ISTHMUS_OK;
    *copied += (uint64_t)got;
  }
  return ISTHMUS_OK;
}

int isthmus_shrink(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  file_facts facts;
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (object->address) return refuse(failure, ISTHMUS_BUSY);
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "statx");
  if (facts.bytes <= bytes) return ISTHMUS_OK;
  int result;
  do result = ftruncate(object->descriptor, (off_t)bytes);
  while (result != 0 && errno == EINTR);
  return result == 0 ? ISTHMUS_OK : refuse_errno(failure, "ftruncate");
}
