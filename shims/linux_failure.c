/* How a refusal of Linux becomes a code of ours. */
#include "linux.h"

int refuse_os_error(isthmus_failure *failure, const char *call, int os_error, int status) {
  failure->status = status;
  failure->os_error = os_error;
  failure->call = call;
  return status;
}

int refuse(isthmus_failure *failure, int status) { return refuse_os_error(failure, "", 0, status); }

static int status_of(int os_error) {
  switch (os_error) {
    case ENOENT:
    case ENOTDIR:
      return ISTHMUS_NOT_FOUND;
    case EEXIST:
      return ISTHMUS_ALREADY_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:  /* a symbolic link, which O_NOFOLLOW refuses */
    case EISDIR: /* not a regular file, each in its own way */
    case ETXTBSY:
    case ENXIO:
    case ENODEV:
      return ISTHMUS_ACCESS_DENIED;
    case ENAMETOOLONG:
      return ISTHMUS_INVALID_NAME;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ISTHMUS_OUT_OF_SHARED_MEMORY;
    case ENOSYS:
    case EOPNOTSUPP:
      return ISTHMUS_NOT_SUPPORTED;
    default:
      return ISTHMUS_SYSTEM;
  }
}

int refuse_errno(isthmus_failure *failure, const char *call) {
  int os_error = errno;
  return refuse_os_error(failure, call, os_error, status_of(os_error));
}
