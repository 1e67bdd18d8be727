/*
 * Names: index files "isthmus.<name>" in the place. See darwin_index.c for the steps of giving a name and of taking it
 * away, and for what is left when a process dies between two of them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"

int rename_to_new(const char *from, const char *to) { return renamex_np(from, to, RENAME_EXCL); }

/* Steps 2 … 4 of remove. Without a hold, of an index that this user may not write to, the directory decides. */
static int take_away(const char *path, int held) {
  char aside[PATH_BYTES_MAX];
  file_facts facts;
  if (facts_of_path(path, &facts) != 0) return -1;
  if (!is_regular(&facts)) return unlink(path);
  staged_path(aside);
  if (rename(path, aside) != 0) return -1;
  if (held >= 0)
    remove_staged(aside, held);
  else
    sweep(aside);
  return 0;
}

/* Steps 1 … 4 of replace; or, where nobody has the name, step 4 of make. */
static int take_over(const char *staged, const char *goal) {
  file_facts facts;
  for (int turn = 0; turn < 1000; turn++) {
    int old = hold_index(goal);
    int result;
    if (old < 0 && errno == ENOENT)
      result = rename_to_new(staged, goal);
    else if (old < 0 && facts_of_path(goal, &facts) == 0 && !is_regular(&facts))
      result = rename(staged, goal);
    else if ((result = renamex_np(staged, goal, RENAME_SWAP)) == 0 && old >= 0)
      remove_staged(staged, old);
    else if (result == 0)
      sweep(staged);
    bool again = result != 0 && (errno == EEXIST || errno == ENOENT);
    close_descriptor(old);
    if (!again) return result;
  }
  return -1;
}

int isthmus_publish(isthmus_object *object, bool replace, isthmus_failure *failure) {
  if (object->kind != STAGED) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  int result = replace ? take_over(object->path, object->goal) : rename_to_new(object->path, object->goal);
  if (result != 0 && errno == EEXIST) {
    result = clear_leftover(object->goal) ? rename_to_new(object->path, object->goal) : -1;
    if (result != 0) errno = EEXIST;
  }
  if (result != 0) return refuse_errno(failure, "rename");
  become_published(object);
  return ISTHMUS_OK;
}

void discard(isthmus_object *object) { remove_staged(object->path, object->descriptor); }

void leave_place(const isthmus_object *object) {
  if (object->kind == NAMELESS && object->path) sweep(object->path);
}

/* A name whose memory is gone is none; where this user may, it goes. */
static bool is_leftover(const char *path) {
  int index = open_again(path, O_RDONLY | O_CLOEXEC, 0);
  if (index < 0) return false;
  int memory = open_memory(index, O_RDONLY);
  bool gone = memory < 0 && errno == ENOENT;
  close_descriptor(memory);
  close_descriptor(index);
  return gone;
}

static void visit(const char *file, void (*each)(void *, const char *), void *context) {
  char path[PATH_BYTES_MAX];
  file_facts facts;
  size_t prefix = sizeof PREFIX - 1;
  bool named = strncmp(file, PREFIX, prefix) == 0 && file[prefix] != 0;
  bool staged = strncmp(file, STAGED_PREFIX, sizeof STAGED_PREFIX - 1) == 0;
  if (!named && !staged) return;
  snprintf(path, sizeof path, PLACE "/%s", file);
  if (facts_of_path(path, &facts) != 0 || !is_regular(&facts)) return;
  if (named && !is_leftover(path))
    each(context, file + prefix);
  else if (named)
    clear_leftover(path);
  else if (facts.owner == geteuid())
    sweep(path);
}

int isthmus_list(uint32_t name_space, void (*each)(void *, const char *), void *context,
                 isthmus_failure *failure) {
  (void)name_space;
  DIR *directory = opendir(PLACE "/");
  struct dirent *entry;
  if (!directory && (errno == ENOENT || errno == ENOTDIR)) return ISTHMUS_OK;
  if (!directory) return refuse_errno(failure, "opendir");
  while ((entry = readdir(directory))) visit(entry->d_name, each, context);
  closedir(directory);
  return ISTHMUS_OK;
}

int isthmus_unlink(const char *name, uint32_t name_space, isthmus_failure *failure) {
  (void)name_space;
  char path[PATH_BYTES_MAX];
  if (path_of_name(name, path, failure) != ISTHMUS_OK) return failure->status;
  int held = hold_index(path);
  int result = held < 0 && errno == ENOENT ? -1 : take_away(path, held);
  close_descriptor(held);
  return result == 0 ? ISTHMUS_OK : refuse_name(failure, "unlink");
}

int isthmus_remove(isthmus_object *object, bool *removed, isthmus_failure *failure) {
  file_facts facts;
  *removed = false;
  if (object->kind != NAMED) return ISTHMUS_OK;
  if (facts_of_descriptor(object->descriptor, &facts) != 0) return refuse_errno(failure, "fstat");
  bool has_index = object->memory != object->descriptor;
  int held = has_index ? hold_index(object->path) : -1;
  if (is_linked(object, &facts))
    *removed = (has_index ? take_away(object->path, held) : unlink(object->path)) == 0;
  else
    errno = ENOENT;
  close_descriptor(held);
  return *removed || errno == ENOENT ? ISTHMUS_OK : refuse_errno(failure, "unlink");
}
