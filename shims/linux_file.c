/* Descriptors, what the kernel knows about the file behind them, and byte locks. */
#include <fcntl.h>
#include <sys/stat.h>

#include "linux.h"

/* struct statx of the kernel: the same on every CPU, and unlike struct stat the same under every libc. */
typedef struct {
  uint32_t mask, block_bytes;
  uint64_t attributes;
  uint32_t links, owner, group;
  uint16_t mode, unused;
  uint64_t inode, bytes, blocks, attributes_mask;
  uint64_t times[8];
  uint32_t special_major, special_minor, device_major, device_minor;
  uint64_t rest[14];
} kernel_statx;

_Static_assert(sizeof(kernel_statx) == 256, "the kernel writes 256 bytes");
_Static_assert(offsetof(kernel_statx, bytes) == 40, "stx_size");
_Static_assert(offsetof(kernel_statx, device_major) == 136, "stx_dev_major");

#define KERNEL_AT_EMPTY_PATH 0x1000
#define KERNEL_AT_SYMLINK_NOFOLLOW 0x100
#define KERNEL_STATX_BASIC 0x7ff

static int facts_of(int descriptor, const char *path, int flags, file_facts *out) {
  kernel_statx found;
  if (syscall(SYS_statx, descriptor, path, flags, KERNEL_STATX_BASIC, &found) != 0) return -1;
  out->bytes = found.bytes;
  out->stored_bytes = found.blocks * 512;
  out->inode = found.inode;
  out->device = (uint64_t)found.device_major << 32 | found.device_minor;
  out->links = found.links;
  out->owner = found.owner;
  out->mode = found.mode;
  return 0;
}

int facts_of_descriptor(int descriptor, file_facts *out) {
  return facts_of(descriptor, "", KERNEL_AT_EMPTY_PATH, out);
}

int facts_of_path(const char *path, file_facts *out) {
  return facts_of(AT_FDCWD, path, KERNEL_AT_SYMLINK_NOFOLLOW, out);
}

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
  /* Linux has released the descriptor also when a signal interrupts close(): never twice. */
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
