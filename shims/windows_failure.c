/* How a refusal of Windows becomes a code of ours. */
#include "windows.h"

int refuse_os_error(isthmus_failure *failure, const char *call, DWORD os_error, int status) {
  failure->status = status;
  failure->os_error = (int32_t)os_error;
  failure->call = call;
  return status;
}

int refuse(isthmus_failure *failure, int status) { return refuse_os_error(failure, "", 0, status); }

static int status_of(DWORD os_error) {
  switch (os_error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_DRIVE:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
      return ISTHMUS_NOT_FOUND;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return ISTHMUS_ALREADY_EXISTS;
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_HANDLE: /* a kernel object of another kind has the name */
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_INVALID_OWNER:
    case ERROR_DELETE_PENDING:
      return ISTHMUS_ACCESS_DENIED;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_DIRECTORY:
      return ISTHMUS_INVALID_NAME;
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_DISK_QUOTA_EXCEEDED:
    case ERROR_FILE_TOO_LARGE:
      return ISTHMUS_OUT_OF_SHARED_MEMORY;
    case ERROR_USER_MAPPED_FILE:
      return ISTHMUS_BUSY;
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
    case ERROR_PROC_NOT_FOUND:
      return ISTHMUS_NOT_SUPPORTED;
    default:
      return ISTHMUS_SYSTEM;
  }
}

int refuse_last_error(isthmus_failure *failure, const char *call) {
  DWORD os_error = GetLastError();
  return refuse_os_error(failure, call, os_error, status_of(os_error));
}
