/* What the kernel knows about files, about shared memory, and about what stores them. */
#include <string.h>
#include <sys/mount.h>

#include "posix.h"

static int take_facts(int result, const struct stat *found, file_facts *out) {
  if (result != 0) return -1;
  out->bytes = (uint64_t)found->st_size;
  out->stored_bytes = (uint64_t)found->st_blocks * 512;
  out->inode = found->st_ino;
  out->device = (uint64_t)found->st_dev;
  out->links = found->st_nlink;
  out->owner = found->st_uid;
  out->mode = found->st_mode;
  return 0;
}

int facts_of_descriptor(int descriptor, file_facts *out) {
  struct stat found;
  return take_facts(fstat(descriptor, &found), &found, out);
}

int facts_of_path(const char *path, file_facts *out) {
  struct stat found;
  return take_facts(lstat(path, &found), &found, out);
}

static void describe_file_system(const struct statfs *found, isthmus_storage *out) {
  out->total_bytes = (uint64_t)found->f_blocks * found->f_bsize;
  out->free_bytes = (uint64_t)found->f_bavail * found->f_bsize;
  out->total_files = found->f_files;
  out->free_files = found->f_ffree;
  out->read_only = (found->f_flags & MNT_RDONLY) != 0;
  out->in_memory = strcmp(found->f_fstypename, "tmpfs") == 0;
  out->layered = strcmp(found->f_fstypename, "unionfs") == 0;
}

int storage_of_path(const char *path, isthmus_storage *out) {
  struct statfs found;
  *out = (isthmus_storage){0};
  if (statfs(path, &found) != 0) return -1;
  describe_file_system(&found, out);
  return 0;
}

/* Of shared memory the system tells neither how much there is nor how much of it is in use. */
int isthmus_object_storage(isthmus_object *object, isthmus_storage *out, isthmus_failure *failure) {
  struct statfs found;
  file_facts facts;
  *out = (isthmus_storage){0};
  out->in_memory = true;
  if (object->memory != object->descriptor) return ISTHMUS_OK;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "fstat");
  if (fstatfs(object->descriptor, &found) != 0) return refuse_errno(failure, "fstatfs");
  describe_file_system(&found, out);
  out->stored_bytes = facts.stored_bytes;
  return ISTHMUS_OK;
}
