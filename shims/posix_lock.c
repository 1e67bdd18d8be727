/*
 * Locks: byte-range locks of the open file description (OFD). The kernel drops them with the last descriptor
 * and mapping of that description, so at once when the process dies, even while it is a zombie, since
 * posix_fork.c keeps its children from having either; and not when some other descriptor of the same file is
 * closed, as it does with the older F_SETLK. Each object has a description of its own: two objects of one
 * process exclude each other as two processes do.
 */
#include <fcntl.h>

#include "posix.h"

int isthmus_lock(isthmus_object *object, uint32_t index, bool shared, bool *taken, isthmus_failure *failure) {
  if (object->read_only && !shared) return refuse(failure, ISTHMUS_READ_ONLY);
  *taken =
      set_byte_lock(object->descriptor, ISTHMUS_KERNEL_LOCK_BASE + index, shared ? F_RDLCK : F_WRLCK) == 0;
  /* A conflict is EAGAIN. EACCES, which POSIX allows for it as well, is the refusal of a security module here. */
  if (*taken || errno == EAGAIN) return ISTHMUS_OK;
  return refuse_errno(failure, "fcntl");
}

int isthmus_unlock(isthmus_object *object, uint32_t index, isthmus_failure *failure) {
  if (set_byte_lock(object->descriptor, ISTHMUS_KERNEL_LOCK_BASE + index, F_UNLCK) == 0) return ISTHMUS_OK;
  return refuse_errno(failure, "fcntl");
}

int isthmus_held(isthmus_object *object, uint32_t index, bool exclusively, bool *held,
                 isthmus_failure *failure) {
  /* Asking for an exclusive lock meets holders of both modes. The object's own lock is never in its own way. */
  struct flock met = {.l_type = F_WRLCK,
                      .l_whence = SEEK_SET,
                      .l_start = (off_t)(ISTHMUS_KERNEL_LOCK_BASE + index),
                      .l_len = 1};
  int result;
  do result = fcntl(object->descriptor, F_OFD_GETLK, &met);
  while (result != 0 && errno == EINTR);
  if (result != 0) return refuse_errno(failure, "fcntl");
  *held = exclusively ? met.l_type == F_WRLCK : met.l_type != F_UNLCK;
  return ISTHMUS_OK;
}
