/*
 * Handles: "<pid>:<id>" of an anonymous object, which lead to its staged index (darwin_index.c). Everybody who has the
 * object open shares the lock of the index; when nobody has, the object is gone, also where its last owner died and
 * nobody has swept yet. Whoever opens a handle gets a descriptor of the index of its own, and so locks of its own.
 *
 * There is no handle of a named object or of a file: its name leads to it.
 */
#include <stdio.h>
#include <string.h>

#include "posix.h"

#define STAGED_BEGIN PLACE "/" STAGED_PREFIX
#define PID_DIGITS_MAX 10

int isthmus_handle(isthmus_object *object, char text[ISTHMUS_HANDLE_BYTES], isthmus_failure *failure) {
  if (object->kind != NAMELESS || !object->path) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  const char *from = object->path + sizeof STAGED_BEGIN - 1;
  size_t i = 0;
  for (; from[i] && i + 1 < ISTHMUS_HANDLE_BYTES; i++) text[i] = from[i] == '.' ? ':' : from[i];
  text[i] = 0;
  return ISTHMUS_OK;
}

static bool path_of_handle(const char *text, char path[PATH_BYTES_MAX]) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > PID_DIGITS_MAX || text[digits] != ':') return false;
  const char *id = text + digits + 1;
  if (!is_id(id) || id[strspn(id, "0123456789abcdef")] != 0 || strlen(id) != 16) return false;
  snprintf(path, PATH_BYTES_MAX, STAGED_BEGIN "%.*s.%s", (int)digits, text, id);
  return true;
}

/* Whether anybody has the object open. Nobody has a lock of it through this descriptor yet. */
static bool is_alive(int index) {
  struct flock met = {.l_type = F_WRLCK,
                      .l_whence = SEEK_SET,
                      .l_start = (off_t)ISTHMUS_KERNEL_LOCK_STAGED_BYTE,
                      .l_len = 1};
  int result;
  do result = fcntl(index, F_OFD_GETLK, &met);
  while (result != 0 && errno == EINTR);
  return result == 0 && met.l_type == F_RDLCK;
}

static int open_index(const char *path, int access, opened_pair *out, isthmus_failure *failure) {
  file_facts facts;
  *out = (opened_pair){open_again(path, access | O_CLOEXEC, 0), -1};
  if (out->index < 0) return refuse_errno(failure, "open");
  bool found = is_alive(out->index) &&
               set_byte_lock(out->index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_RDLCK) == 0 &&
               leads_to(path, out->index) && facts_of_descriptor(out->index, &facts) == 0;
  if (found && facts.owner != geteuid() && geteuid() != 0)
    refuse_os_error(failure, "open", EACCES, ISTHMUS_ACCESS_DENIED);
  else if (!found)
    refuse_os_error(failure, "open", ENOENT, ISTHMUS_NOT_FOUND);
  else if ((out->memory = open_memory(out->index, access)) < 0)
    refuse_errno(failure, "shm_open");
  else
    return ISTHMUS_OK;
  close_descriptor(out->index);
  return failure->status;
}

int isthmus_open_handle(isthmus_environment *environment, const char *text, bool read_only,
                        isthmus_object **out, isthmus_failure *failure) {
  char path[PATH_BYTES_MAX];
  opened_pair pair;
  if (!path_of_handle(text, path)) return refuse(failure, ISTHMUS_INVALID_NAME);
  become_busy();
  int status = open_index(path, read_only ? O_RDONLY : O_RDWR, &pair, failure);
  if (status == ISTHMUS_OK)
    status = adopt_pair(environment, pair, NAMELESS, read_only, path, NULL, out, failure);
  be_idle();
  return status;
}
