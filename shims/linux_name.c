/*
 * Names: files "isthmus.<name>" in /dev/shm, which is where shm_open of every libc puts them.
 *
 * Staged files are ".isthmus.<pid>.<random>" there. The process that makes one holds
 * ISTHMUS_KERNEL_LOCK_STAGED_BYTE until the file has its name. isthmus_list sweeps: it removes the staged
 * files of processes that died.
 *
 *   maker    1. creates the file exclusively
 *            2. takes the lock
 *            3. checks that the file is still linked, else begins again
 *            4. renames it
 *            5. drops the lock
 *   sweeper  1. opens the file
 *            2. takes the lock, else leaves the file alone
 *            3. removes the staged name
 *
 * A sweeper that comes between steps 1 and 2 of the maker is noticed in step 2 or 3. One that comes after
 * step 4 removes a name that is gone. A maker that died before step 4 holds no lock.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "posix.h"

static void staged_path(char path[PATH_BYTES_MAX]) {
  static _Atomic uint32_t counter;
  uint64_t random = 0;
  /* Where getrandom() fails, the counter still tells the threads of this process apart, and the pid most processes. */
  if (syscall(SYS_getrandom, &random, sizeof random, 1 /* GRND_NONBLOCK */) < 0) random = 0;
  random += atomic_fetch_add(&counter, 1);
  snprintf(path, PATH_BYTES_MAX, PLACE "/" STAGED_PREFIX "%d.%016llx", (int)getpid(),
           (unsigned long long)random);
}

int open_staged_file(uint32_t mode, char path[PATH_BYTES_MAX], int *descriptor, isthmus_failure *failure) {
  for (int attempt = 0; attempt < 100; attempt++) {
    staged_path(path);
    int opened = open_again(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (opened < 0 && errno == EEXIST) continue;
    if (opened < 0) return refuse_name(failure, "open");
    file_facts facts;
    if (set_byte_lock(opened, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) != 0) {
      bool swept = errno == EAGAIN;
      refuse_errno(failure, "fcntl");
      unlink(path);
      close_descriptor(opened);
      if (swept) continue;
      return failure->status;
    }
    if (facts_of_descriptor(opened, &facts) == 0 && facts.links == 0) {
      close_descriptor(opened);
      continue;
    }
    if (fchmod(opened, (mode_t)mode) != 0) {
      refuse_errno(failure, "fchmod");
      unlink(path);
      close_descriptor(opened);
      return failure->status;
    }
    *descriptor = opened;
    return ISTHMUS_OK;
  }
  /* Each name was taken, or each file swept before it was locked: not by chance. */
  return refuse_os_error(failure, "open", EBUSY, ISTHMUS_SYSTEM);
}

/* linux/fs.h */
#define KERNEL_RENAME_NOREPLACE 1u

/*
 * Some file systems do not know RENAME_NOREPLACE (EINVAL), and some sandboxes refuse the call (EPERM,
 * ENOSYS). There a second link gets the new name, which fails with EEXIST as well, and the staged name goes
 * after it. If the process dies in between, the file has two names until the sweeper removes the staged one.
 */
int rename_to_new(const char *from, const char *to) {
  int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, KERNEL_RENAME_NOREPLACE);
  bool refused = result != 0 && (errno == EINVAL || errno == EPERM || errno == ENOSYS);
  if (!refused) return result;
  if (syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0) == 0) {
    unlink(from);
    return 0;
  }
  if (errno == EPERM) errno = EINVAL; /* no second links either: no permission is what is missing */
  return -1;
}

int isthmus_publish(isthmus_object *object, bool replace, isthmus_failure *failure) {
  if (object->kind != STAGED) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  int result = replace ? rename(object->path, object->goal) : rename_to_new(object->path, object->goal);
  if (result != 0) return refuse_errno(failure, "rename");
  become_published(object);
  return ISTHMUS_OK;
}

static void sweep(const char *file) {
  char path[PATH_BYTES_MAX];
  snprintf(path, sizeof path, PLACE "/%s", file);
  file_facts facts;
  /* Only those of this user: the superuser does not tidy for others, and an exclusive lock needs write access. */
  if (facts_of_path(path, &facts) != 0 || !is_regular(&facts) || facts.owner != geteuid()) return;
  int descriptor = open_again(path, O_RDWR | O_CLOEXEC, 0);
  if (descriptor < 0) return;
  if (set_byte_lock(descriptor, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0) unlink(path);
  close_descriptor(descriptor);
}

/* Types of linux_dirent64: not every file system knows them. */
#define KERNEL_DT_UNKNOWN 0
#define KERNEL_DT_REG 8

/* struct linux_dirent64 of the kernel */
typedef struct {
  uint64_t inode;
  int64_t next;
  uint16_t bytes;
  uint8_t type;
  char name[];
} kernel_entry;

static void visit(const char *file, uint8_t type, void (*each)(void *, const char *), void *context) {
  if (type != KERNEL_DT_REG && type != KERNEL_DT_UNKNOWN) return;
  size_t prefix = sizeof PREFIX - 1;
  if (strncmp(file, PREFIX, prefix) == 0 && file[prefix] != 0) each(context, file + prefix);
  if (strncmp(file, STAGED_PREFIX, sizeof STAGED_PREFIX - 1) == 0) sweep(file);
}

int isthmus_list(uint32_t name_space, void (*each)(void *, const char *), void *context,
                 isthmus_failure *failure) {
  (void)name_space;
  int directory = open_again(PLACE "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0 && (errno == ENOENT || errno == ENOTDIR)) return ISTHMUS_OK;
  if (directory < 0) return refuse_errno(failure, "open");
  _Alignas(8) char buffer[4096];
  long filled;
  while ((filled = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < filled;) {
      const kernel_entry *entry = (const kernel_entry *)(buffer + at);
      visit(entry->name, entry->type, each, context);
      at += entry->bytes;
    }
  }
  if (filled < 0) refuse_errno(failure, "getdents64");
  close_descriptor(directory);
  return filled < 0 ? failure->status : ISTHMUS_OK;
}

int isthmus_unlink(const char *name, uint32_t name_space, isthmus_failure *failure) {
  (void)name_space;
  char path[PATH_BYTES_MAX];
  if (path_of_name(name, path, failure) != ISTHMUS_OK) return failure->status;
  return unlink(path) == 0 ? ISTHMUS_OK : refuse_name(failure, "unlink");
}

int isthmus_remove(isthmus_object *object, bool *removed, isthmus_failure *failure) {
  file_facts facts;
  *removed = false;
  if (object->kind != NAMED) return ISTHMUS_OK;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, FACTS_CALL);
  if (!is_linked(object, &facts)) return ISTHMUS_OK;
  *removed = unlink(object->path) == 0;
  return *removed || errno == ENOENT ? ISTHMUS_OK : refuse_errno(failure, "unlink");
}

void discard(isthmus_object *object) { unlink(object->path); }
