/* Descriptors, byte locks, and reading what is in a file. */
#include <fcntl.h>
#include <sys/stat.h>

#include "posix.h"

bool is_regular(const file_facts *facts) { return (facts->mode & S_IFMT) == S_IFREG; }

int open_again(const char *path, int flags, uint32_t mode) {
  int descriptor;
  /* Without O_NONBLOCK the open of a FIFO that somebody planted would wait for ever. */
  do descriptor = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, (mode_t)mode);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

void close_descriptor(int descriptor) {
  int kept = errno;
  /* The kernel has released the descriptor also when a signal interrupts close(): never twice. */
  if (descriptor >= 0) close(descriptor);
  errno = kept;
}

int set_byte_lock(int descriptor, uint64_t byte, int type) {
  struct flock wanted = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
  int result;
  do result = fcntl(descriptor, F_OFD_SETLK, &wanted);
  while (result != 0 && errno == EINTR);
  return result;
}

void drop_locks(int descriptor) {
  struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  int result;
  do result = fcntl(descriptor, F_OFD_SETLK, &all);
  while (result != 0 && errno == EINTR);
}

int read_file(int descriptor, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
              isthmus_failure *failure) {
  *copied = 0;
  while (*copied < bytes) {
    char *at = (char *)into + *copied;
    ssize_t got = pread(descriptor, at, bytes - *copied, (off_t)(offset + *copied));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_errno(failure, "pread");
    if (got == 0) return ISTHMUS_OK;
    *copied += (uint64_t)got;
  }
  return ISTHMUS_OK;
}
