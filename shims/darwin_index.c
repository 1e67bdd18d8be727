/*
 * Index files. A name of shared memory has at most 31 bytes, cannot be listed, renamed or locked, and is forgotten
 * when the machine starts. So the bytes of an object are in shared memory "/isthmus.<id>", where <id> is random, and
 * a small file leads there: its only line is "isthmus.<id>". That file has the name, the owner, the mode and the
 * locks.
 *
 *   <place>/isthmus.<name>            an index with a name
 *   <place>/.isthmus.<pid>.<id>       a staged one: it has no name yet, or no longer, or never gets one
 *
 * Whoever gives a name, takes one away or removes an index *holds* it: has ISTHMUS_KERNEL_LOCK_STAGED_BYTE of it, and
 * has looked since then that the path still leads there. isthmus_list sweeps the staged ones that nobody holds.
 *
 *   make     1. creates the staged file exclusively, takes the lock, checks that the file is still linked
 *            2. writes the id into it
 *            3. creates the memory exclusively
 *            4. gives it a name in one step (RENAME_EXCL)
 *            5. drops the lock
 *   replace  1. holds the index that has the name
 *            2. exchanges it with the staged one (RENAME_SWAP): the old one has the staged path now
 *            3. removes the old memory      4. removes the staged path
 *   remove   1. holds the index
 *            2. renames it to a staged path: the name is free
 *            3. removes the memory          4. removes the staged path
 *   sweep    1. holds the staged index, or leaves it alone: then somebody lives who has it
 *            2. removes the memory          3. removes the staged path
 *   anonymous: steps 1 … 3 of make; then the lock becomes a shared one, which everybody has who has the object open.
 *            Whoever closes the object sweeps: only the last one finds nobody else
 *
 * If a process dies
 *
 *   make 1           an empty staged file                    the sweeper removes it
 *   make 2           a staged file; its memory is not there   the same
 *   make 3           a staged file and its memory            the sweeper removes both, the memory first
 *   make 4           an object with a name                   as intended; the lock went with the process
 *   replace 2, 3     the old index at a staged path          the sweeper goes on: 3, 4
 *   remove 2, 3      the index at a staged path              the sweeper goes on: 3, 4
 *   sweep 2          a staged file without memory            the next sweeper removes it
 *   anonymous        as make 3
 *
 * So from its creation to its removal a file leads to each piece of memory: none is lost. When the machine starts
 * again, the files are there and the memory is not. Such a *leftover* counts as absent; whoever finds it and may do so
 * holds it, looks again, and removes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"

#define ID_DIGITS 16
/* "isthmus.<id>" and the end of the line. */
#define LINE_BYTES (sizeof PREFIX - 1 + ID_DIGITS + 1)
#define HOLD_TURNS_MAX 10000

bool leads_to(const char *path, int index) {
  file_facts opened, named;
  if (facts_of_descriptor(index, &opened) != 0 || facts_of_path(path, &named) != 0) return false;
  return is_regular(&opened) && opened.inode == named.inode && opened.device == named.device;
}

bool is_id(const char *text) {
  for (int i = 0; i < ID_DIGITS; i++) {
    bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (!digit) return false;
  }
  return true;
}

/* 0, or -1 with errno: EINVAL for a file that is no index. */
static int memory_of(int index, char name[MEMORY_NAME_BYTES]) {
  char line[LINE_BYTES];
  ssize_t got;
  do got = pread(index, line, LINE_BYTES, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) return -1;
  errno = EINVAL;
  if (got != (ssize_t)LINE_BYTES || line[LINE_BYTES - 1] != '\n') return -1;
  if (strncmp(line, PREFIX, sizeof PREFIX - 1) != 0 || !is_id(line + sizeof PREFIX - 1)) return -1;
  line[LINE_BYTES - 1] = 0;
  snprintf(name, MEMORY_NAME_BYTES, "/%s", line);
  return 0;
}

static int open_shared(const char *name, int access, uint32_t mode) {
  int descriptor = shm_open(name, access, (mode_t)mode);
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

/* Whoever made the index made the memory: another user's memory was put in its place. */
int open_memory(int index, int access) {
  char name[MEMORY_NAME_BYTES];
  file_facts of_index, of_memory;
  if (memory_of(index, name) != 0 || facts_of_descriptor(index, &of_index) != 0) return -1;
  int descriptor = open_shared(name, access, 0);
  if (descriptor < 0) return -1;
  bool found = facts_of_descriptor(descriptor, &of_memory) == 0;
  if (found && of_memory.owner == of_index.owner) return descriptor;
  close_descriptor(descriptor);
  errno = EACCES;
  return -1;
}

/*
 * Its descriptor, or -1 with errno. No call changes the mode of shared memory: if the umask has taken bits away,
 * the memory is made again without it.
 */
static int make_memory(const char *name, uint32_t mode) {
  static short_lock umask_lock;
  file_facts facts;
  int made = open_shared(name, O_RDWR | O_CREAT | O_EXCL, mode);
  if (made < 0 || facts_of_descriptor(made, &facts) != 0 || (facts.mode & 0777) == mode) return made;
  close_descriptor(made);
  shm_unlink(name);
  lock_shortly(&umask_lock);
  mode_t before = umask(0);
  made = open_shared(name, O_RDWR | O_CREAT | O_EXCL, mode);
  umask(before);
  unlock_shortly(&umask_lock);
  return made;
}

void staged_path(char path[PATH_BYTES_MAX]) {
  uint64_t id;
  arc4random_buf(&id, sizeof id);
  snprintf(path, PATH_BYTES_MAX, PLACE "/" STAGED_PREFIX "%d.%016llx", (int)getpid(), (unsigned long long)id);
}

void close_pair(const opened_pair *pair) {
  close_descriptor(pair->index);
  close_descriptor(pair->memory);
}

void remove_staged(const char *path, int index) {
  char name[MEMORY_NAME_BYTES];
  file_facts facts;
  if (memory_of(index, name) == 0 && facts_of_descriptor(index, &facts) == 0) {
    /* The superuser removes no memory of others because of what a file of theirs says. */
    int memory = facts.owner == geteuid() ? -1 : open_memory(index, O_RDONLY);
    if (memory >= 0 || facts.owner == geteuid()) shm_unlink(name);
    close_descriptor(memory);
  }
  unlink(path);
}

/* Steps 2 and 3 of make, and the mode. The call that refused, or NULL. */
static const char *fill_staged(const char *path, uint32_t mode, opened_pair *out) {
  char line[LINE_BYTES + 1], name[MEMORY_NAME_BYTES];
  const char *id = path + strlen(path) - ID_DIGITS;
  if (fchmod(out->index, (mode_t)mode) != 0) return "fchmod";
  snprintf(line, sizeof line, PREFIX "%s\n", id);
  if (pwrite(out->index, line, LINE_BYTES, 0) != (ssize_t)LINE_BYTES) return "pwrite";
  snprintf(name, sizeof name, "/" PREFIX "%s", id);
  out->memory = make_memory(name, mode);
  return out->memory >= 0 ? NULL : "shm_open";
}

int make_staged(uint32_t mode, char path[PATH_BYTES_MAX], opened_pair *out, isthmus_failure *failure) {
  file_facts facts;
  for (int attempt = 0; attempt < 100; attempt++) {
    staged_path(path);
    *out = (opened_pair){open_again(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode), -1};
    if (out->index < 0 && errno == EEXIST) continue;
    if (out->index < 0) return refuse_name(failure, "open");
    const char *call = "fcntl";
    if (set_byte_lock(out->index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0) {
      bool swept = facts_of_descriptor(out->index, &facts) == 0 && facts.links == 0;
      if (!swept && !(call = fill_staged(path, mode, out))) return ISTHMUS_OK;
      if (swept) errno = EAGAIN;
    }
    /* A sweeper was faster, or somebody has memory of that id. */
    bool again = errno == EAGAIN || errno == EEXIST;
    refuse_errno(failure, call);
    unlink(path);
    close_pair(out);
    if (!again) return failure->status;
  }
  return refuse_os_error(failure, "open", EBUSY, ISTHMUS_SYSTEM);
}

/* An exclusive lock needs a descriptor for writing, and the mode of the file need not allow one. */
static int open_to_lock(const char *path) {
  file_facts facts;
  int index = open_again(path, O_RDWR | O_CLOEXEC, 0);
  if (index >= 0 || errno != EACCES) return index;
  int readable = open_again(path, O_RDONLY | O_CLOEXEC, 0);
  if (readable < 0) return -1;
  bool ours = facts_of_descriptor(readable, &facts) == 0 && is_regular(&facts) && facts.owner == geteuid();
  if (ours) fchmod(readable, 0600);
  close_descriptor(readable);
  return ours ? open_again(path, O_RDWR | O_CLOEXEC, 0) : -1;
}

void sweep(const char *path) {
  int index = open_to_lock(path);
  if (index < 0) return;
  if (set_byte_lock(index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0 && leads_to(path, index))
    remove_staged(path, index);
  close_descriptor(index);
}

int hold_index(const char *path) {
  file_facts facts;
  for (int turn = 0; turn < HOLD_TURNS_MAX; turn++) {
    int index = open_again(path, O_RDWR | O_CLOEXEC, 0);
    if (index < 0) return -1;
    if (facts_of_descriptor(index, &facts) != 0 || !is_regular(&facts)) {
      close_descriptor(index);
      errno = EINVAL;
      return -1;
    }
    bool locked = set_byte_lock(index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0;
    bool refused = !locked && errno != EAGAIN;
    if (locked && leads_to(path, index)) return index;
    close_descriptor(index);
    if (refused) return -1;
    yield_processor();
  }
  errno = EBUSY;
  return -1;
}

bool clear_leftover(const char *path) {
  int index = hold_index(path);
  if (index < 0) return false;
  int memory = open_memory(index, O_RDONLY);
  bool cleared = memory < 0 && errno == ENOENT && unlink(path) == 0;
  close_descriptor(memory);
  close_descriptor(index);
  return cleared;
}
