/* The calls of darwin-calls.h, made of those of Linux. */
#define ISTHMUS_STAND_IN
#include "darwin-calls.h"

#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#define NAME_BYTES_MAX 31
/* Shared memory of the stand-in: files there, which a lane looks for. */
#define MEMORY "/dev/shm/darwin-memory"

static bool is_memory(int descriptor) {
  char link[64], path[256];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t got = readlink(link, path, sizeof path);
  return got > (ssize_t)(sizeof MEMORY - 1) && memcmp(path, MEMORY, sizeof MEMORY - 1) == 0;
}

static int fail(int os_error) {
  errno = os_error;
  return -1;
}

/* The name as a file. */
static int path_of(const char *name, char path[128]) {
  if (strlen(name) > NAME_BYTES_MAX) return fail(ENAMETOOLONG);
  snprintf(path, 128, MEMORY ".%s", name[0] == '/' ? name + 1 : name);
  return 0;
}

int darwin_shm_open(const char *name, int flags, ...) {
  char path[128];
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  if (path_of(name, path) != 0) return -1;
  return open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

int darwin_shm_unlink(const char *name) {
  char path[128];
  return path_of(name, path) != 0 ? -1 : unlink(path);
}

/* The rule that a size is given once must hold among processes: the file's own size says whether it was. */
int darwin_ftruncate(int descriptor, off_t bytes) {
  struct stat found;
  if (!is_memory(descriptor)) return ftruncate(descriptor, bytes);
  int locked = syscall(SYS_flock, descriptor, 2 /* LOCK_EX */);
  if (locked != 0 || fstat(descriptor, &found) != 0) return -1;
  int result = found.st_size != 0 || bytes <= 0 ? fail(EINVAL) : ftruncate(descriptor, bytes);
  int kept = errno;
  syscall(SYS_flock, descriptor, 8 /* LOCK_UN */);
  errno = kept;
  return result;
}

ssize_t darwin_pread(int descriptor, void *into, size_t bytes, off_t offset) {
  return is_memory(descriptor) ? fail(ENXIO) : pread(descriptor, into, bytes, offset);
}

ssize_t darwin_pwrite(int descriptor, const void *from, size_t bytes, off_t offset) {
  return is_memory(descriptor) ? fail(ENXIO) : pwrite(descriptor, from, bytes, offset);
}

/* Shared memory has size, owner and mode, and nothing else. */
int darwin_fstat(int descriptor, struct stat *out) {
  struct stat found;
  if (fstat(descriptor, &found) != 0) return -1;
  *out = found;
  if (!is_memory(descriptor)) return 0;
  *out = (struct stat){0};
  out->st_size = found.st_size;
  out->st_uid = found.st_uid;
  out->st_gid = found.st_gid;
  out->st_mode = found.st_mode & 0777;
  return 0;
}

int darwin_fchmod(int descriptor, mode_t mode) {
  return is_memory(descriptor) ? fail(EINVAL) : fchmod(descriptor, mode);
}

int darwin_fsync(int descriptor) { return is_memory(descriptor) ? fail(EBADF) : fsync(descriptor); }

static int preallocate(int descriptor, const fstore_t *wanted) {
  struct stat found;
  if (fstat(descriptor, &found) != 0) return -1;
  if (wanted->fst_posmode != F_PEOFPOSMODE || wanted->fst_length <= 0) return fail(EINVAL);
  int result = (int)syscall(SYS_fallocate, descriptor, 1 /* FALLOC_FL_KEEP_SIZE */, found.st_size,
                            wanted->fst_length);
  return result != 0 && errno == EOPNOTSUPP ? fail(45 /* ENOTSUP of macOS */) : result;
}

int darwin_fcntl(int descriptor, int command, ...) {
  va_list more;
  va_start(more, command);
  void *argument = va_arg(more, void *);
  va_end(more);
  switch (command) {
    case F_SETFD:
      return fcntl(descriptor, F_SETFD, (int)(intptr_t)argument);
    case 90:
      return is_memory(descriptor) ? fail(EBADF) : fcntl(descriptor, F_OFD_SETLK, argument);
    case 92:
      return is_memory(descriptor) ? fail(EBADF) : fcntl(descriptor, F_OFD_GETLK, argument);
    case F_FULLFSYNC:
      return is_memory(descriptor) ? fail(EBADF) : fsync(descriptor);
    case F_PREALLOCATE:
      return is_memory(descriptor) ? fail(EBADF) : preallocate(descriptor, argument);
    default:
      return fail(EINVAL);
  }
}

int darwin_renamex_np(const char *from, const char *to, unsigned int flags) {
  if (flags != RENAME_EXCL && flags != RENAME_SWAP) return fail(EINVAL);
  /* RENAME_NOREPLACE, RENAME_EXCHANGE */
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags == RENAME_EXCL ? 1 : 2);
}

int darwin_minherit(void *address, size_t bytes, int inherit) {
  return inherit == VM_INHERIT_NONE ? madvise(address, bytes, MADV_DONTFORK) : fail(EINVAL);
}

static int take_statfs(int result, const struct statfs *found, struct darwin_statfs *out) {
  if (result != 0) return -1;
  *out = (struct darwin_statfs){0};
  out->f_bsize = (uint32_t)found->f_bsize;
  out->f_blocks = found->f_blocks;
  out->f_bavail = found->f_bavail;
  out->f_files = found->f_files;
  out->f_ffree = found->f_ffree;
  out->f_flags = found->f_flags & 1 ? MNT_RDONLY : 0;
  strcpy(out->f_fstypename, found->f_type == 0x01021994 ? "tmpfs" : "apfs");
  return 0;
}

int darwin_statfs(const char *path, struct darwin_statfs *out) {
  struct statfs found;
  return take_statfs(statfs(path, &found), &found, out);
}

int darwin_fstatfs(int descriptor, struct darwin_statfs *out) {
  struct statfs found;
  return take_statfs(fstatfs(descriptor, &found), &found, out);
}

void darwin_setname(const char *name) { syscall(SYS_prctl, 15 /* PR_SET_NAME */, name, 0, 0, 0); }

void darwin_random(void *into, size_t bytes) { syscall(SYS_getrandom, into, bytes, 0); }

/* ---- waiting ------------------------------------------------------------------------------------------- */

static int futex_wait(void *word, uint32_t expected, bool shared, uint64_t timeout_ns) {
  struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
  long result = syscall(SYS_futex, word, shared ? 0 : 128, expected, timeout_ns ? &timeout : NULL, NULL, 0);
  /* A word of another value is no error on macOS: the call returns at once. */
  return result == 0 || errno == EAGAIN ? 0 : -1;
}

static int futex_wake(void *word, bool shared) {
  long woken = syscall(SYS_futex, word, shared ? 1 : 129, INT32_MAX, NULL, NULL, 0);
  if (woken < 0) return -1;
  return woken == 0 ? fail(ENOENT) : 0;
}

static int sync_wait(void *word, uint64_t expected, size_t bytes, uint32_t flags) {
  if (bytes != 4 || flags > 1) return fail(EINVAL);
  return futex_wait(word, (uint32_t)expected, flags == 1, 0);
}

static int sync_wait_for(void *word, uint64_t expected, size_t bytes, uint32_t flags, uint32_t clock,
                         uint64_t timeout_ns) {
  if (bytes != 4 || flags > 1 || clock != 32 || timeout_ns == 0) return fail(EINVAL);
  return futex_wait(word, (uint32_t)expected, flags == 1, timeout_ns);
}

static int sync_wake(void *word, size_t bytes, uint32_t flags) {
  return bytes != 4 || flags > 1 ? fail(EINVAL) : futex_wake(word, flags == 1);
}

static int ulock_wait(uint32_t operation, void *word, uint64_t expected, uint32_t timeout_us) {
  if (operation != 1 && operation != 3) return fail(EINVAL);
  return futex_wait(word, (uint32_t)expected, operation == 3, (uint64_t)timeout_us * 1000);
}

static int ulock_wake(uint32_t operation, void *word, uint64_t unused) {
  (void)unused;
  if (operation != 0x101 && operation != 0x103) return fail(EINVAL);
  return futex_wake(word, operation == 0x103);
}

void *darwin_dlsym(void *library, const char *name) {
  (void)library;
  const char *said = getenv("ISTHMUS_STAND_IN_RELEASE");
  int release = said ? atoi(said) : 14;
  if (release >= 14) {
    if (strcmp(name, "os_sync_wait_on_address") == 0) return (void *)sync_wait;
    if (strcmp(name, "os_sync_wait_on_address_with_timeout") == 0) return (void *)sync_wait_for;
    if (strcmp(name, "os_sync_wake_by_address_all") == 0) return (void *)sync_wake;
  }
  if (release > 0 && strcmp(name, "__ulock_wait") == 0) return (void *)ulock_wait;
  if (release > 0 && strcmp(name, "__ulock_wake") == 0) return (void *)ulock_wake;
  return NULL;
}
