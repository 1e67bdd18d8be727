/* Objects: opening what has a name in the place, or none, or not yet. */
#include <fcntl.h>
#include <sys/stat.h>

#include "posix.h"

static void ignore_name(void *context, const char *name) {
  (void)context;
  (void)name;
}

#define KERNEL_MFD_CLOEXEC 1u
#define KERNEL_MFD_ALLOW_SEALING 2u

/*
 * open_path for a name. A new object appears under its name with its mode, both at once. With open() and
 * fchmod() it would have the mode that the umask leaves for a moment, and refuse another user who waits for
 * it.
 */
static int open_place(const char *path, isthmus_options options, int *out, bool *created,
                      isthmus_failure *failure) {
  if (!options.create || options.read_only) {
    if (open_path(path, options, out, created, failure) == ISTHMUS_OK) return ISTHMUS_OK;
    errno = failure->os_error;
    return refuse_name(failure, failure->call);
  }
  *created = false;
  for (int attempt = 0; attempt < 1000; attempt++) {
    *out = open_again(path, O_RDWR | O_CLOEXEC, 0);
    if (*out >= 0) return ISTHMUS_OK;
    if (errno != ENOENT) return refuse_name(failure, "open");
    char staged[PATH_BYTES_MAX];
    if (open_staged_file(options.mode, staged, out, failure) != ISTHMUS_OK) return failure->status;
    if (rename_to_new(staged, path) == 0) {
      set_byte_lock(*out, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_UNLCK);
      *created = true;
      return ISTHMUS_OK;
    }
    refuse_errno(failure, "rename");
    unlink(staged);
    close_descriptor(*out);
    if (failure->os_error != EEXIST) break;
  }
  return failure->status;
}

/*
 * A second name could be anybody's, and lead to what was never meant to be shared memory. But a file that is
 * just getting its name has two for a moment, or longer when its maker died, where rename_to_new() makes
 * links.
 */
static bool has_second_name(int descriptor) {
  file_facts facts;
  isthmus_failure ignored;
  if (facts_of_descriptor(descriptor, &facts) != 0 || facts.links <= 1) return false;
  isthmus_list(ISTHMUS_LOCAL, ignore_name, NULL, &ignored);
  for (int look = 0; look < 100; look++) {
    if (facts_of_descriptor(descriptor, &facts) != 0 || facts.links <= 1) return false;
    yield_processor();
  }
  return true;
}

int isthmus_open_named(isthmus_environment *environment, const char *name, uint32_t name_space,
                       isthmus_options options, isthmus_object **out, isthmus_failure *failure) {
  (void)name_space;
  char path[PATH_BYTES_MAX];
  bool created;
  int descriptor;
  if (path_of_name(name, path, failure) != ISTHMUS_OK) return failure->status;
  become_busy();
  int status = open_place(path, options, &descriptor, &created, failure);
  if (status == ISTHMUS_OK && has_second_name(descriptor)) {
    close_descriptor(descriptor);
    status = refuse_os_error(failure, "open", EMLINK, ISTHMUS_ACCESS_DENIED);
  }
  if (status == ISTHMUS_OK)
    status = adopt_opened(environment, descriptor, path, options, created, out, failure);
  be_idle();
  return status;
}

static int open_memory(isthmus_environment *environment, isthmus_object **out, isthmus_failure *failure) {
  int descriptor = (int)syscall(SYS_memfd_create, "isthmus", KERNEL_MFD_CLOEXEC | KERNEL_MFD_ALLOW_SEALING);
  if (descriptor < 0) return refuse_errno(failure, "memfd_create");
  /* Nobody can truncate it under us: that would kill whoever touches it next. Files in /dev/shm have no seals. */
  fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK);
  return adopt(environment, descriptor, NAMELESS, false, NULL, NULL, out, failure);
}

int isthmus_open_anonymous(isthmus_environment *environment, isthmus_object **out, isthmus_failure *failure) {
  become_busy();
  int status = open_memory(environment, out, failure);
  be_idle();
  return status;
}

int isthmus_open_staged(isthmus_environment *environment, const char *name, uint32_t name_space,
                        uint32_t mode, isthmus_object **out, isthmus_failure *failure) {
  (void)name_space;
  char goal[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
  int descriptor;
  if (path_of_name(name, goal, failure) != ISTHMUS_OK) return failure->status;
  become_busy();
  int status = open_staged_file(mode, path, &descriptor, failure);
  if (status == ISTHMUS_OK) {
    status = adopt(environment, descriptor, STAGED, false, path, goal, out, failure);
    if (status != ISTHMUS_OK) unlink(path);
  }
  be_idle();
  return status;
}

int isthmus_object_storage(isthmus_object *object, isthmus_storage *out, isthmus_failure *failure) {
  if (storage_of_descriptor(object->descriptor, out) == 0) return ISTHMUS_OK;
  return refuse_errno(failure, FACTS_CALL);
}
