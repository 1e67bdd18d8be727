/* Objects: opening what has a name in the place, or none, or not yet. */
#include "posix.h"

/* Steps 1 … 5 of make, in darwin_index.c. `*again` when somebody else made one meanwhile. */
static int make_named(const char *path, uint32_t mode, opened_pair *out, bool *again,
                      isthmus_failure *failure) {
  char staged[PATH_BYTES_MAX];
  *again = false;
  if (make_staged(mode, staged, out, failure) != ISTHMUS_OK) return failure->status;
  if (rename_to_new(staged, path) == 0) {
    set_byte_lock(out->index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_UNLCK);
    return ISTHMUS_OK;
  }
  *again = errno == EEXIST;
  refuse_errno(failure, "rename");
  remove_staged(staged, out->index);
  close_pair(out);
  return failure->status;
}

/* Of an open index. `*gone` when its memory is not there: it is a leftover, or its name went to another one meanwhile. */
static int open_pair(int access, opened_pair *out, bool *gone, isthmus_failure *failure) {
  file_facts facts;
  *gone = false;
  if (facts_of_descriptor(out->index, &facts) != 0) {
    refuse_errno(failure, "fstat");
  } else if (!is_regular(&facts)) {
    refuse_os_error(failure, "open", EINVAL, ISTHMUS_ACCESS_DENIED);
  } else if (facts.links > 1) {
    /* A second name could be anybody's. */
    refuse_os_error(failure, "open", EMLINK, ISTHMUS_ACCESS_DENIED);
  } else if ((out->memory = open_memory(out->index, access)) >= 0) {
    return ISTHMUS_OK;
  } else {
    *gone = errno == ENOENT;
    refuse_errno(failure, "shm_open");
    /* The file is none of ours. */
    if (failure->os_error == EINVAL) failure->status = ISTHMUS_ACCESS_DENIED;
  }
  close_descriptor(out->index);
  return failure->status;
}

static int open_place(const char *path, isthmus_options options, opened_pair *out, bool *created,
                      isthmus_failure *failure) {
  int access = options.read_only ? O_RDONLY : O_RDWR;
  bool again;
  *created = false;
  for (int attempt = 0; attempt < 1000; attempt++) {
    *out = (opened_pair){open_again(path, access | O_CLOEXEC, 0), -1};
    if (out->index >= 0) {
      if (open_pair(access, out, &again, failure) == ISTHMUS_OK) return ISTHMUS_OK;
      if (!again) return failure->status;
      if (!clear_leftover(path)) yield_processor();
      continue;
    }
    if (errno != ENOENT || !options.create) return refuse_name(failure, "open");
    if (make_named(path, options.mode, out, &again, failure) == ISTHMUS_OK) {
      *created = true;
      if (!options.read_only) return ISTHMUS_OK;
      close_pair(out);
    } else if (!again) {
      return failure->status;
    }
  }
  /* A leftover of another user. */
  int status = options.create ? ISTHMUS_ACCESS_DENIED : ISTHMUS_NOT_FOUND;
  return refuse_os_error(failure, "unlink", EACCES, status);
}

int adopt_pair(isthmus_environment *environment, opened_pair pair, uint32_t kind, bool read_only,
               const char *path, const char *goal, isthmus_object **out, isthmus_failure *failure) {
  int status = adopt(environment, pair.index, (object_kind)kind, read_only, path, goal, out, failure);
  if (status == ISTHMUS_OK)
    (*out)->memory = pair.memory;
  else
    close_descriptor(pair.memory);
  return status;
}

int isthmus_open_named(isthmus_environment *environment, const char *name, uint32_t name_space,
                       isthmus_options options, isthmus_object **out, isthmus_failure *failure) {
  (void)name_space;
  char path[PATH_BYTES_MAX];
  opened_pair pair;
  bool created;
  if (path_of_name(name, path, failure) != ISTHMUS_OK) return failure->status;
  become_busy();
  int status = open_place(path, options, &pair, &created, failure);
  if (status == ISTHMUS_OK)
    status = adopt_pair(environment, pair, NAMED, options.read_only, path, NULL, out, failure);
  if (status == ISTHMUS_OK) (*out)->created = created;
  be_idle();
  return status;
}

/* Staged for good without a goal: see "anonymous" in darwin_index.c. */
static int open_staged(isthmus_environment *environment, const char *goal, uint32_t mode,
                       isthmus_object **out, isthmus_failure *failure) {
  char path[PATH_BYTES_MAX];
  opened_pair pair;
  if (make_staged(mode, path, &pair, failure) != ISTHMUS_OK) return failure->status;
  if (!goal) set_byte_lock(pair.index, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_RDLCK);
  int status = adopt_pair(environment, pair, goal ? STAGED : NAMELESS, false, path, goal, out, failure);
  if (status != ISTHMUS_OK) sweep(path);
  return status;
}

int isthmus_open_anonymous(isthmus_environment *environment, isthmus_object **out, isthmus_failure *failure) {
  become_busy();
  int status = open_staged(environment, NULL, 0600, out, failure);
  be_idle();
  return status;
}

int isthmus_open_staged(isthmus_environment *environment, const char *name, uint32_t name_space,
                        uint32_t mode, isthmus_object **out, isthmus_failure *failure) {
  (void)name_space;
  char goal[PATH_BYTES_MAX];
  if (path_of_name(name, goal, failure) != ISTHMUS_OK) return failure->status;
  become_busy();
  int status = open_staged(environment, goal, mode, out, failure);
  be_idle();
  return status;
}
