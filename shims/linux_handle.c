/*
 * Handles: "<pid>:<descriptor>:<device>:<inode>". A process of the same user opens the object through
 * /proc/<pid>/fd, as long as the process that gave the handle has it open. That opens it anew, with locks of
 * its own. Device and inode tell whether the number still means the same object.
 *
 * Nothing is inherited: the descriptor is close-on-exec. A descriptor that children inherit would go to every
 * child that is started later, whether it knows of the segment or not, and keep the memory until the last one
 * ends.
 */
#include <fcntl.h>
#include <stdio.h>

#include "posix.h"

typedef struct {
  uint64_t pid, descriptor, device, inode;
} handle_parts;

/* /proc/…/fd/N looks like a symbolic link, but opening it follows none: it opens the very file. */
static int reopen(const char *path, int access) {
  int descriptor;
  do descriptor = open(path, access | O_NONBLOCK | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

int isthmus_handle(isthmus_object *object, char text[ISTHMUS_HANDLE_BYTES], isthmus_failure *failure) {
  file_facts facts;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "statx");
  char path[64];
  file_facts found;
  snprintf(path, sizeof path, "/proc/self/fd/%d", object->descriptor);
  if (facts_of_path(path, &found) != 0) {
    return refuse_os_error(failure, "statx", errno, ISTHMUS_NOT_SUPPORTED);
  }
  snprintf(text, ISTHMUS_HANDLE_BYTES, "%d:%d:%llu:%llu", (int)getpid(), object->descriptor,
           (unsigned long long)facts.device, (unsigned long long)facts.inode);
  return ISTHMUS_OK;
}

/* One decimal number and what follows it; NULL when there is none or it is too long. */
static const char *parse_number(const char *text, char after, uint64_t *out) {
  uint64_t value = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (value > (UINT64_MAX - digit) / 10) return NULL;
    value = value * 10 + digit;
  }
  if (at == text || *at != after) return NULL;
  *out = value;
  return at + 1;
}

static bool parse_handle(const char *text, handle_parts *out) {
  const char *at = parse_number(text, ':', &out->pid);
  if (at) at = parse_number(at, ':', &out->descriptor);
  if (at) at = parse_number(at, ':', &out->device);
  if (at) at = parse_number(at, 0, &out->inode);
  return at && out->pid <= INT32_MAX && out->descriptor <= INT32_MAX;
}

static int open_if_same(const char *path, const handle_parts *wanted, int access) {
  int descriptor = reopen(path, access | O_CLOEXEC);
  if (descriptor < 0) return -1;
  file_facts facts;
  if (facts_of_descriptor(descriptor, &facts) == 0 && facts.device == wanted->device &&
      facts.inode == wanted->inode) {
    return descriptor;
  }
  close_descriptor(descriptor);
  errno = ENOENT;
  return -1;
}

static int open_parts(isthmus_environment *environment, const handle_parts *parts, bool read_only,
                      isthmus_object **out, isthmus_failure *failure) {
  int access = read_only ? O_RDONLY : O_RDWR;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", (int)parts->descriptor);
  int descriptor = open_if_same(path, parts, access);
  if (descriptor < 0) {
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)parts->pid, (int)parts->descriptor);
    descriptor = open_if_same(path, parts, access);
  }
  if (descriptor < 0) {
    refuse_errno(failure, "open");
    /* Without /proc nothing can be said about the object itself. */
    file_facts facts;
    if (facts_of_path("/proc/self", &facts) != 0) failure->status = ISTHMUS_NOT_SUPPORTED;
    return failure->status;
  }
  return adopt(environment, descriptor, NAMELESS, read_only, NULL, NULL, out, failure);
}

int isthmus_open_handle(isthmus_environment *environment, const char *text, bool read_only,
                        isthmus_object **out, isthmus_failure *failure) {
  handle_parts parts;
  if (!parse_handle(text, &parts)) return refuse(failure, ISTHMUS_INVALID_NAME);
  become_busy();
  int status = open_parts(environment, &parts, read_only, out, failure);
  be_idle();
  return status;
}
