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

static char zeros[16384]; /* not const: so it takes no room in the binary */

/* Writing sets storage aside as well; 0, or -1 with errno. */
static int write_zeros(int descriptor, uint64_t from, uint64_t to) {
  while (from < to) {
    uint64_t rest = to - from;
    ssize_t written = pwrite(descriptor, zeros, rest < sizeof zeros ? rest : sizeof zeros, (off_t)from);
    if (written < 0 && errno != EINTR) return -1;
    if (written > 0) from += (uint64_t)written;
  }
  return 0;
}

static bool all_zero(const char *at, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] != 0) return false;
  }
  return true;
}

/*
 * For file systems that do not tell where holes are: only a page that reads as zeros can be one, and writing
 * zeros there changes nothing.
 */
static int rewrite_zeros(int descriptor, uint64_t from, uint64_t to) {
  char page[2048];
  while (from < to) {
    uint64_t rest = to - from;
    ssize_t got = pread(descriptor, page, rest < sizeof page ? rest : sizeof page, (off_t)from);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) return 0;
    uint64_t next = from + (uint64_t)got;
    if (all_zero(page, (size_t)got) && write_zeros(descriptor, from, next) != 0) return -1;
    from = next;
  }
  return 0;
}

#define KERNEL_SEEK_DATA 3
#define KERNEL_SEEK_HOLE 4

/* Where the next byte of that kind is, at most `end`; UINT64_MAX when the file system does not tell. */
static uint64_t seek(int descriptor, uint64_t from, int kind, uint64_t end) {
  long at = syscall(SYS_lseek, descriptor, (int64_t)from, kind);
  if (at >= 0) return (uint64_t)at < end ? (uint64_t)at : end;
  return errno == ENXIO ? end : UINT64_MAX;
}

/* Whether some of the first `end` bytes have no storage, or it is not known. */
static bool may_have_holes(int descriptor, uint64_t end, uint64_t stored_bytes) {
  return stored_bytes < end || seek(descriptor, 0, KERNEL_SEEK_HOLE, end) != end;
}

/*
 * Gives storage to the holes among the first `end` bytes without fallocate(). Some file systems take
 * SEEK_HOLE and say that all is data: there the storage that the file has is less than its size.
 */
static int fill_holes(int descriptor, uint64_t end, uint64_t stored_bytes) {
  uint64_t hole = seek(descriptor, 0, KERNEL_SEEK_HOLE, end);
  if (hole == UINT64_MAX || (hole == end && stored_bytes < end)) return rewrite_zeros(descriptor, 0, end);
  while (hole < end) {
    uint64_t data = seek(descriptor, hole, KERNEL_SEEK_DATA, end);
    if (data == UINT64_MAX) return rewrite_zeros(descriptor, hole, end);
    if (write_zeros(descriptor, hole, data) != 0) return -1;
    hole = data < end ? seek(descriptor, data, KERNEL_SEEK_HOLE, end) : end;
  }
  return 0;
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

static int refuse_growth(isthmus_failure *failure, const char *call) {
  if (errno != ENOMEM) return refuse_errno(failure, call);
  return refuse_os_error(failure, call, ENOMEM, ISTHMUS_OUT_OF_SHARED_MEMORY);
}

int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  int descriptor = object->descriptor;
  file_facts facts;
  if (facts_of_descriptor(descriptor, &facts) != 0) return refuse_errno(failure, "statx");
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
  refuse_growth(failure, call);
  if (facts.bytes >= bytes) return failure->status;
  do result = ftruncate(descriptor, (off_t)facts.bytes);
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
  if (result == 0) return ISTHMUS_OK;
  /* The seal of isthmus_open_anonymous. */
  if (errno == EPERM && object->kind == NAMELESS)
    return refuse_os_error(failure, "ftruncate", EPERM, ISTHMUS_ACCESS_DENIED);
  return refuse_errno(failure, "ftruncate");
}
