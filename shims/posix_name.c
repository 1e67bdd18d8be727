/* What may be a name, and where names live. */
#include <stdio.h>
#include <string.h>

#include "posix.h"

int path_of_name(const char *name, char path[PATH_BYTES_MAX], isthmus_failure *failure) {
  size_t bytes = strlen(name);
  if (bytes == 0 || bytes > NAME_BYTES_MAX) return refuse(failure, ISTHMUS_INVALID_NAME);
  for (size_t i = 0; i < bytes; i++) {
    unsigned char byte = (unsigned char)name[i];
    if (byte < 0x20 || byte == 0x7f || byte == '/') return refuse(failure, ISTHMUS_INVALID_NAME);
  }
  snprintf(path, PATH_BYTES_MAX, PLACE "/" PREFIX "%s", name);
  return ISTHMUS_OK;
}

bool place_is_absent(isthmus_storage *storage) {
  return storage_of_path(PLACE "/", storage) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

int refuse_name(isthmus_failure *failure, const char *call) {
  isthmus_storage ignored;
  refuse_errno(failure, call);
  if (failure->status == ISTHMUS_NOT_FOUND && place_is_absent(&ignored)) {
    failure->status = ISTHMUS_NOT_SUPPORTED;
  }
  return failure->status;
}

void isthmus_system_limits(isthmus_limits *out) {
  out->place = place_is_absent(&out->storage) ? "" : PLACE;
  out->words_per_watcher = words_per_watcher();
}
