/* Objects: files, describing, closing, and the environments that own them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "posix.h"

int adopt(isthmus_environment *environment, int descriptor, object_kind kind, bool read_only,
          const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure) {
  file_facts facts;
  isthmus_object *object = NULL;
  if (facts_of_descriptor(descriptor, &facts) != 0) {
    refuse_errno(failure, FACTS_CALL);
  } else if (!is_regular(&facts)) {
    refuse_os_error(failure, "open", EINVAL, ISTHMUS_ACCESS_DENIED);
  } else if ((object = calloc(1, sizeof *object)) == NULL || (path && !(object->path = strdup(path))) ||
             (goal && !(object->goal = strdup(goal)))) {
    refuse_os_error(failure, "malloc", ENOMEM, ISTHMUS_SYSTEM);
    if (object) free(object->path);
    free(object);
  } else {
    object->environment = environment;
    object->descriptor = object->memory = descriptor;
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
 * O_CREAT, because Linux refuses O_CREAT on other users' files in /dev/shm (fs.protected_regular).
 */
int open_path(const char *path, isthmus_options options, int *out, bool *created, isthmus_failure *failure) {
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

int adopt_opened(isthmus_environment *environment, int descriptor, const char *path, isthmus_options options,
                 bool created, isthmus_object **out, isthmus_failure *failure) {
  if (created && fchmod(descriptor, (mode_t)options.mode) != 0) {
    refuse_errno(failure, "fchmod");
    unlink(path);
    close_descriptor(descriptor);
    return failure->status;
  }
  if (adopt(environment, descriptor, NAMED, options.read_only, path, NULL, out, failure) != ISTHMUS_OK)
    return failure->status;
  (*out)->created = created;
  return ISTHMUS_OK;
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
  bool created;
  int descriptor;
  become_busy();
  int status = open_path(absolute, options, &descriptor, &created, failure);
  if (status == ISTHMUS_OK)
    status = adopt_opened(environment, descriptor, absolute, options, created, out, failure);
  be_idle();
  return status;
}

void become_published(isthmus_object *object) {
  object->kind = NAMED;
  free(object->path);
  object->path = object->goal;
  object->goal = NULL;
  set_byte_lock(object->descriptor, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_UNLCK);
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
  if (facts_of_descriptor(object->memory, &facts) != 0) return refuse_errno(failure, FACTS_CALL);
  out->bytes = facts.bytes;
  if (object->memory != object->descriptor && facts_of_descriptor(object->descriptor, &facts) != 0)
    return refuse_errno(failure, FACTS_CALL);
  out->owner = facts.owner;
  out->mode = facts.mode & 0777;
  out->trusted = facts.owner == geteuid() || facts.owner == 0;
  out->linked = is_linked(object, &facts);
  out->created = object->created;
  return ISTHMUS_OK;
}

void isthmus_touch(isthmus_object *object) {
  if (!object->read_only) set_times_to_now(object->descriptor);
}

void isthmus_close(isthmus_object *object) {
  isthmus_failure ignored;
  isthmus_unwatch(object);
  bool unmapped = isthmus_unmap(object, &ignored) == ISTHMUS_OK;
  if (object->kind == STAGED) discard(object);
  become_busy();
  forget_opened(object);
  /* Pages that stay keep the open file, and its locks would say that we live. */
  if (!unmapped) drop_locks(object->descriptor);
  if (object->memory != object->descriptor) close_descriptor(object->memory);
  close_descriptor(object->descriptor);
  be_idle();
  leave_place(object);
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
