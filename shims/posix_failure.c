/* How a refusal of the system becomes a code of ours. */
#include <string.h>

#include "posix.h"

int refuse_os_error(isthmus_failure *failure, const char *call, int os_error, int status) {
  failure->status = status;
  failure->os_error = os_error;
  failure->call = call;
  return status;
}

int refuse(isthmus_failure *failure, int status) { return refuse_os_error(failure, "", 0, status); }

/*
 * Only calls that take a path check the permissions of a file. Every other call works on a descriptor or an
 * address that was opened or mapped before, so EPERM does not come from a file there: a seccomp profile, a
 * security module or a re-implementation of Linux refuses the call itself.
 */
static bool checks_permissions(const char *call) {
  static const char calls[][8] = {"open", "unlink", "rename", "link", "getcwd", "shm_open"};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    if (strncmp(call, calls[i], sizeof calls[i]) == 0) return true;
  }
  return false;
}

int status_of_os_error(const char *call, int os_error) {
  switch (os_error) {
    case ENOENT:
    case ENOTDIR:
      return ISTHMUS_NOT_FOUND;
    case EEXIST:
      return ISTHMUS_ALREADY_EXISTS;
    case EROFS:
    case ELOOP:   /* a symbolic link: O_NOFOLLOW refuses it */
    case EISDIR:  /* a directory */
    case ETXTBSY: /* a program that is running, or a swap file */
    case ENXIO:   /* a socket, or a FIFO that nobody reads */
      return ISTHMUS_ACCESS_DENIED;
    case EPERM:
    case EACCES: /* from a call for a descriptor: a security module forbids the call itself */
    case ENODEV: /* open: a device without a driver; mmap: a file that cannot be mapped */
      return checks_permissions(call) ? ISTHMUS_ACCESS_DENIED : ISTHMUS_NOT_SUPPORTED;
    case ENAMETOOLONG:
      return ISTHMUS_INVALID_NAME;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ISTHMUS_OUT_OF_SHARED_MEMORY;
    case ENOSYS:
    case EINVAL: /* the arguments are right, so the kernel, the file system or a sandbox does not know them */
    case EOPNOTSUPP:
#if ENOTSUP != EOPNOTSUPP
    case ENOTSUP:
#endif
      return ISTHMUS_NOT_SUPPORTED;
    default:
      return ISTHMUS_SYSTEM;
  }
}

int refuse_errno(isthmus_failure *failure, const char *call) {
  int os_error = errno;
  return refuse_os_error(failure, call, os_error, status_of_os_error(call, os_error));
}
