/* What the kernel knows about files, and about what stores them. */
#include <fcntl.h>
#include <sys/stat.h>

#include "posix.h"

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

/* struct stat of the kernel, which is another one on each CPU. */
#if defined(__x86_64__)
typedef struct {
  uint64_t device, inode, links;
  uint32_t mode, owner, group, unused;
  uint64_t special;
  int64_t bytes, block_bytes, blocks;
  uint64_t times[6], rest[3];
} kernel_stat;
_Static_assert(sizeof(kernel_stat) == 144, "the kernel writes 144 bytes");
#else
typedef struct {
  uint64_t device, inode;
  uint32_t mode, links, owner, group;
  uint64_t special, unused;
  int64_t bytes;
  int32_t block_bytes, unused_too;
  int64_t blocks;
  uint64_t times[6];
  uint32_t rest[2];
} kernel_stat;
_Static_assert(sizeof(kernel_stat) == 128, "the kernel writes 128 bytes");
#endif

/*
 * Where statx() is refused: kernels before 4.11, and seccomp profiles that are older than the call and answer
 * EPERM to what they do not know.
 */
static int facts_without_statx(int descriptor, const char *path, int flags, file_facts *out) {
  kernel_stat found;
  if (syscall(SYS_newfstatat, descriptor, path, &found, flags) != 0) return -1;
  uint64_t major = (found.device >> 8) & 0xfff;
  uint64_t minor = (found.device & 0xff) | ((found.device >> 12) & 0xfff00);
  out->bytes = (uint64_t)found.bytes;
  out->stored_bytes = (uint64_t)found.blocks * 512;
  out->inode = found.inode;
  out->device = major << 32 | minor;
  out->links = (uint32_t)found.links;
  out->owner = found.owner;
  out->mode = found.mode;
  return 0;
}

static int facts_of(int descriptor, const char *path, int flags, file_facts *out) {
  kernel_statx found;
  if (syscall(SYS_statx, descriptor, path, flags, KERNEL_STATX_BASIC, &found) != 0) {
    bool refused = errno == ENOSYS || errno == EPERM || errno == EINVAL;
    return refused ? facts_without_statx(descriptor, path, flags, out) : -1;
  }
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

/* struct statfs of the kernel on 64-bit CPUs */
typedef struct {
  int64_t type, block_bytes;
  uint64_t blocks, free_blocks, available_blocks, files, free_files;
  int32_t id[2];
  int64_t name_bytes, fragment_bytes, flags, rest[4];
} kernel_statfs;

_Static_assert(sizeof(kernel_statfs) == 120, "the kernel writes 120 bytes");

#define KERNEL_ST_RDONLY 1
#define KERNEL_TMPFS_MAGIC 0x01021994
#define KERNEL_RAMFS_MAGIC 0x858458f6
#define KERNEL_OVERLAYFS_MAGIC 0x794c7630

static void describe_file_system(const kernel_statfs *found, isthmus_storage *out) {
  uint64_t unit = (uint64_t)(found->fragment_bytes > 0 ? found->fragment_bytes : found->block_bytes);
  out->total_bytes = found->blocks * unit;
  out->free_bytes = found->available_blocks * unit;
  out->total_files = found->files;
  out->free_files = found->free_files;
  out->read_only = (found->flags & KERNEL_ST_RDONLY) != 0;
  out->in_memory = found->type == KERNEL_TMPFS_MAGIC || found->type == KERNEL_RAMFS_MAGIC;
  out->layered = found->type == KERNEL_OVERLAYFS_MAGIC;
}

int storage_of_path(const char *path, isthmus_storage *out) {
  kernel_statfs found = {0};
  *out = (isthmus_storage){0};
  if (syscall(SYS_statfs, path, &found) != 0) return -1;
  describe_file_system(&found, out);
  return 0;
}

int storage_of_descriptor(int descriptor, isthmus_storage *out) {
  kernel_statfs found = {0};
  file_facts facts;
  *out = (isthmus_storage){0};
  if (facts_of_descriptor(descriptor, &facts) != 0) return -1;
  /* Where a sandbox refuses it, nothing is known of the file system, and nothing depends on it. */
  if (syscall(SYS_fstatfs, descriptor, &found) == 0) describe_file_system(&found, out);
  out->stored_bytes = facts.stored_bytes;
  return 0;
}
