/* Objects: opening in every way, describing, closing. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "linux.h"

static void ignore_name(void *context, const char *name) {
  (void)context;
  (void)name;
}

#define KERNEL_MFD_CLOEXEC 1u
#define KERNEL_MFD_ALLOW_SEALING 2u

int adopt(isthmus_environment *environment, int descriptor, object_kind kind, bool read_only,
          const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure) {
  file_facts facts;
  isthmus_object *object = NULL;
  if (facts_of_descriptor(descriptor, &facts) != 0) {
    refuse_errno(failure, "statx");
  } else if (!is_regular(&facts)) {
    refuse_os_error(failure, "open", EINVAL, ISTHMUS_ACCESS_DENIED);
  } else if ((object = calloc(1, sizeof *object)) == NULL || (path && !(object->path = strdup(path))) ||
             (goal && !(object->goal = strdup(goal)))) {
    refuse_os_error(failure, "malloc", ENOMEM, ISTHMUS_SYSTEM);
    if (object) free(object->path);
    free(object);
  } else {
    object->environment = environment;
    object->descriptor = descriptor;
    object->kind = kind;
    object->read_only = read_only;
    object->next = environment->objects;
    environment->objects = object;
    note_opened(object);
    *out = object;
    return ISTHMUS_OK;
  }
  close_descriptor(descriptor);
  return failure->status;
}

/*
 * Creation is exclusive, so that we know whether the object is ours to give a mode to. Opening is without
 * O_CREAT, because kernels refuse O_CREAT on other users' files in /dev/shm (fs.protected_regular).
 */
static int open_path(const char *path, isthmus_options options, int *out, bool *created,
                     isthmus_failure *failure) {
  int access = (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  *created = false;
  for (int attempt = 0; attempt < 1000; attempt++) {
    if (options.create) {
      *out = open_again(path, access | O_CREAT | O_EXCL, options.mode);
      *created = *out >= 0;
      if (*out < 0 && errno != EEXIST) break;
    }
    if (!*created) *out = open_again(path, access, 0);
    if (*out >= 0) return ISTHMUS_OK;
    /* Removed between the two calls: it is absent, so create it after all. */
    if (errno != ENOENT || !options.create) break;
  }
  return refuse_errno(failure, "open");
}

/*
 * The same for a name. A new object appears under its name with its mode, both at once. With open() and
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
    syscall(SYS_sched_yield);
  }
  return true;
}

static int open_at(isthmus_environment *environment, const char *path, isthmus_options options, bool in_place,
                   isthmus_object **out, isthmus_failure *failure) {
  bool created;
  int descriptor;
  int status = in_place ? open_place(path, options, &descriptor, &created, failure)
                        : open_path(path, options, &descriptor, &created, failure);
  if (status != ISTHMUS_OK) return status;
  if (created && fchmod(descriptor, (mode_t)options.mode) != 0) {
    refuse_errno(failure, "fchmod");
    unlink(path);
    close_descriptor(descriptor);
    return failure->status;
  }
  if (in_place && has_second_name(descriptor)) {
    close_descriptor(descriptor);
    return refuse_os_error(failure, "open", EMLINK, ISTHMUS_ACCESS_DENIED);
  }
  if (adopt(environment, descriptor, NAMED, options.read_only, path, NULL, out, failure) != ISTHMUS_OK)
    return failure->status;
  (*out)->created = created;
  return ISTHMUS_OK;
}

int isthmus_open_named(isthmus_environment *environment, const char *name, uint32_t name_space,
                       isthmus_options options, isthmus_object **out, isthmus_failure *failure) {
  (void)name_space;
  char path[PATH_BYTES_MAX];
  if (path_of_name(name, path, failure) != ISTHMUS_OK) return failure->status;
  become_busy();
  int status = open_at(environment, path, options, true, out, failure);
  be_idle();
  return status;
}

/* Absolute: whether the name still leads to the object must not depend on where the process moves to. */
int isthmus_open_file(isthmus_environment *environment, const char *path, isthmus_options options,
                      isthmus_object **out, isthmus_failure *failure) {
  char absolute[PATH_BYTES_MAX];
  size_t prefix = 0;
  if (path[0] != '/') {
    if (!getcwd(absolute, sizeof absolute)) return refuse_errno(failure, "getcwd");
    prefix = strlen(absolute);
    absolute[prefix++] = '/';
  }
  if (prefix + strlen(path) >= sizeof absolute) {
    return refuse_os_error(failure, "open", ENAMETOOLONG, ISTHMUS_INVALID_NAME);
  }
  strcpy(absolute + prefix, path);
  become_busy();
  int status = open_at(environment, absolute, options, false, out, failure);
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

/* A name that cannot be looked at may well lead to it. */
bool is_linked(const isthmus_object *object, const file_facts *facts) {
  if (object->kind == NAMELESS) return true;
  if (object->kind == STAGED || facts->links == 0) return false;
  file_facts named;
  if (facts_of_path(object->path, &named) != 0) return errno != ENOENT && errno != ENOTDIR;
  return named.inode == facts->inode && named.device == facts->device;
}

int isthmus_object_info(isthmus_object *object, isthmus_info *out, isthmus_failure *failure) {
  file_facts facts;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "statx");
  out->bytes = facts.bytes;
  out->owner = facts.owner;
  out->mode = facts.mode & 0777;
  out->trusted = facts.owner == geteuid() || facts.owner == 0;
  out->linked = is_linked(object, &facts);
  out->created = object->created;
  return ISTHMUS_OK;
}

int isthmus_object_storage(isthmus_object *object, isthmus_storage *out, isthmus_failure *failure) {
  if (storage_of_descriptor(object->descriptor, out) == 0) return ISTHMUS_OK;
  return refuse_errno(failure, "statx");
}

void isthmus_touch(isthmus_object *object) {
  if (!object->read_only) syscall(SYS_utimensat, object->descriptor, NULL, NULL, 0);
}

void isthmus_close(isthmus_object *object) {
  isthmus_failure ignored;
  isthmus_unwatch(object);
  bool unmapped = isthmus_unmap(object, &ignored) == ISTHMUS_OK;
  if (object->kind == STAGED) unlink(object->path);
  become_busy();
  forget_opened(object);
  /* Pages that stay keep the open file, and its locks would say that we live. */
  if (!unmapped) drop_locks(object->descriptor);
  close_descriptor(object->descriptor);
  be_idle();
  isthmus_object **link = &object->environment->objects;
  while (*link != object) link = &(*link)->next;
  *link = object->next;
  /* Pages that the kernel does not take back stay in the table of mappings, so that nothing is mapped there. */
  if (!unmapped) return;
  free(object->path);
  free(object->goal);
  free(object);
}

int isthmus_environment_open(isthmus_bell bell, void *context, isthmus_environment **out,
                             isthmus_failure *failure) {
  isthmus_environment *environment = calloc(1, sizeof *environment);
  if (!environment) return refuse_os_error(failure, "malloc", ENOMEM, ISTHMUS_SYSTEM);
  environment->bell = bell;
  environment->context = context;
  *out = environment;
  return ISTHMUS_OK;
}

void isthmus_environment_close(isthmus_environment *environment) {
  stop_watching(environment);
  while (environment->objects) isthmus_close(environment->objects);
  free(environment);
}
