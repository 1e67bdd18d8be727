/*
 * Objects: opening in every way, describing, closing. An object has a random id of 64 bits, in the name of each kernel
 * object that belongs to it:
 *
 *   …\isthmus.<id>.card                the card: mode and present size, in a section of its own
 *   …\isthmus.<id>.<generation>.bytes  the bytes: see windows_size.c
 *   …\isthmus.<id>.guard               held while the size or a lock changes
 *   …\isthmus.<id>.<index>.s and .x    locks: see windows_lock.c
 *   …\isthmus.<id>.<offset>.w          doorbells: see windows_wait.c
 *
 * A file has no card: its size is that of the file. Its id is what the file system says about it, with an f before it,
 * always in Global\, where everybody may make guards and events.
 *
 * All of them vanish with their last handle: nothing is left of an object that nobody has open, and an object that was
 * staged needs no sweeping. What has a name is there as long as somebody has it open, and no longer.
 *
 * Several processes may have an object open before it has bytes. If the one that gives it bytes ends before the others
 * have looked, the section of the bytes is gone, and the object is empty again for those.
 */
#include "windows.h"

#define CARD_MAGIC 0x43545349u /* "ISTC" */

/* Of ADVAPI32: RtlGenRandom, which has no other name there. */
BOOLEAN NTAPI SystemFunction036(void *into, ULONG bytes);

bool random_bytes(void *into, uint32_t bytes) { return SystemFunction036(into, bytes) != 0; }

isthmus_object *new_object(isthmus_environment *environment, object_kind kind, bool read_only,
                           isthmus_failure *failure) {
  isthmus_object *object = allocate(sizeof *object);
  if (!object) {
    refuse_os_error(failure, "HeapAlloc", ERROR_NOT_ENOUGH_MEMORY, ISTHMUS_SYSTEM);
    return NULL;
  }
  object->environment = environment;
  object->kind = kind;
  object->read_only = read_only;
  object->next = environment->objects;
  environment->objects = object;
  return object;
}

void name_part(const isthmus_object *object, wchar_t out[OBJECT_NAME_CHARS], const char *part) {
  put_wide(out, OBJECT_NAME_CHARS, object->prefix, part);
}

static void set_id(isthmus_object *object, uint64_t id, uint32_t name_space) {
  char text[40];
  object->id = id;
  object->name_space = name_space;
  snprintf(text, sizeof text, OBJECT_PREFIX "%016llx.", (unsigned long long)id);
  put_wide(object->prefix, sizeof object->prefix / sizeof object->prefix[0], space_prefix(name_space), text);
}

static char *copy_text(const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = allocate(bytes);
  if (copy) memcpy(copy, text, bytes);
  return copy;
}

int open_card(isthmus_object *object, uint64_t id, uint32_t name_space, isthmus_failure *failure) {
  wchar_t name[OBJECT_NAME_CHARS];
  set_id(object, id, name_space);
  name_part(object, name, "card");
  object->card_section = OpenFileMappingW(object->read_only ? SECTION_READ : SECTION_WRITE, FALSE, name);
  if (!object->card_section) return refuse_last_error(failure, "OpenFileMappingW");
  DWORD access = object->read_only ? FILE_MAP_READ : FILE_MAP_READ | FILE_MAP_WRITE;
  object->card = MapViewOfFile(object->card_section, access, 0, 0, sizeof(card));
  if (!object->card) return refuse_last_error(failure, "MapViewOfFile");
  if (object->card->magic != CARD_MAGIC)
    return refuse_os_error(failure, "MapViewOfFile", ERROR_INVALID_HANDLE, ISTHMUS_ACCESS_DENIED);
  object->mode = object->card->mode & 0777;
  name_part(object, name, "guard");
  object->guard = make_mutex(name, object->mode);
  if (!object->guard) return refuse_last_error(failure, "CreateMutexExW");
  /* Now, so that the bytes stay when the others leave. */
  return refresh(object, failure);
}

/* Makes an empty object that nobody else knows of. */
static int make_card(isthmus_object *object, uint32_t name_space, uint32_t mode, isthmus_failure *failure) {
  wchar_t name[OBJECT_NAME_CHARS];
  uint64_t id = 0;
  SECURITY_ATTRIBUTES *security = security_for(SECURED_BYTES, mode);
  if (!security) return refuse_last_error(failure, "ConvertStringSecurityDescriptorToSecurityDescriptorW");
  while (id == 0) {
    if (!random_bytes(&id, sizeof id)) return refuse_last_error(failure, "RtlGenRandom");
  }
  set_id(object, id, name_space);
  object->mode = mode;
  name_part(object, name, "card");
  object->card_section =
      CreateFileMappingW(INVALID_HANDLE_VALUE, security, PAGE_READWRITE, 0, sizeof(card), name);
  if (!object->card_section) return refuse_section(failure, "CreateFileMappingW", name_space);
  if (GetLastError() == ERROR_ALREADY_EXISTS) /* somebody knows what only chance says */
    return refuse_os_error(failure, "CreateFileMappingW", ERROR_ALREADY_EXISTS, ISTHMUS_ACCESS_DENIED);
  object->card = MapViewOfFile(object->card_section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(card));
  if (!object->card) return refuse_last_error(failure, "MapViewOfFile");
  name_part(object, name, "guard");
  object->guard = make_mutex(name, mode);
  if (!object->guard) return refuse_last_error(failure, "CreateMutexExW");
  object->card->mode = mode;
  MemoryBarrier();
  object->card->magic = CARD_MAGIC;
  return ISTHMUS_OK;
}

int refresh(isthmus_object *object, isthmus_failure *failure) {
  if (object->kind == IN_FILE || object->card->generation == object->generation) return ISTHMUS_OK;
  int status = take_guard(object->guard, failure);
  if (status != ISTHMUS_OK) return status;
  uint32_t generation = object->card->generation;
  uint64_t bytes = object->card->bytes[generation % 2];
  HANDLE section = NULL;
  if (bytes > 0) {
    char part[24];
    wchar_t name[OBJECT_NAME_CHARS];
    snprintf(part, sizeof part, "%u.bytes", (unsigned)generation);
    name_part(object, name, part);
    section = OpenFileMappingW(object->read_only ? SECTION_READ : SECTION_WRITE, FALSE, name);
    if (!section && GetLastError() != ERROR_FILE_NOT_FOUND)
      status = refuse_last_error(failure, "OpenFileMappingW");
    if (!section) bytes = 0;
  }
  if (status == ISTHMUS_OK) {
    if (object->section) CloseHandle(object->section);
    object->section = section;
    object->generation = generation;
    object->bytes = bytes;
  }
  leave_guard(object->guard);
  return status;
}

/* Gives the object to the caller, or closes what there is of it. */
static int finish(isthmus_object *object, int status, isthmus_object **out) {
  if (status == ISTHMUS_OK)
    *out = object;
  else
    isthmus_close(object);
  return status;
}

/* Under the guard of the name. */
static int open_or_make(isthmus_object *object, name_link *link, uint32_t name_space, isthmus_options options,
                        isthmus_failure *failure) {
  uint64_t id = link->record->id;
  if (object_exists(id, name_space)) {
    object->link = *link;
    return open_card(object, id, name_space, failure);
  }
  if (!options.create) {
    close_link(link);
    return refuse_os_error(failure, "OpenFileMappingW", ERROR_FILE_NOT_FOUND, ISTHMUS_NOT_FOUND);
  }
  int status = make_card(object, name_space, options.mode, failure);
  if (status == ISTHMUS_OK) status = give_name(object, link, failure);
  if (status != ISTHMUS_OK) close_link(link);
  object->created = status == ISTHMUS_OK;
  return status;
}

int isthmus_open_named(isthmus_environment *environment, const char *name, uint32_t name_space,
                       isthmus_options options, isthmus_object **out, isthmus_failure *failure) {
  name_link link;
  if (open_link(name, name_space, options.create, options.mode, &link, failure) != ISTHMUS_OK)
    return failure->status;
  HANDLE turn = NULL;
  isthmus_object *object = new_object(environment, NAMED, options.read_only, failure);
  /* The guard is left when everything else is done, also when the link is closed. */
  if (!object || !DuplicateHandle(GetCurrentProcess(), link.turn, GetCurrentProcess(), &turn, 0, FALSE,
                                  DUPLICATE_SAME_ACCESS)) {
    leave_guard(link.turn);
    close_link(&link);
    if (object) refuse_last_error(failure, "DuplicateHandle");
    if (object) isthmus_close(object);
    return failure->status;
  }
  int status = open_or_make(object, &link, name_space, options, failure);
  leave_guard(turn);
  CloseHandle(turn);
  return finish(object, status, out);
}

int isthmus_open_staged(isthmus_environment *environment, const char *name, uint32_t name_space,
                        uint32_t mode, isthmus_object **out, isthmus_failure *failure) {
  if (!is_name(name)) return refuse(failure, ISTHMUS_INVALID_NAME);
  isthmus_object *object = new_object(environment, STAGED, false, failure);
  if (!object) return failure->status;
  object->name = copy_text(name);
  if (!object->name)
    return finish(object, refuse_os_error(failure, "HeapAlloc", ERROR_NOT_ENOUGH_MEMORY, ISTHMUS_SYSTEM),
                  out);
  return finish(object, make_card(object, name_space, mode, failure), out);
}

int isthmus_open_anonymous(isthmus_environment *environment, isthmus_object **out, isthmus_failure *failure) {
  isthmus_object *object = new_object(environment, NAMELESS, false, failure);
  return object ? finish(object, make_card(object, ISTHMUS_LOCAL, 0600, failure), out) : failure->status;
}

/* ---- handles: "local-" or "global-" and the id of the object ------------------------------------------- */

static const char *const spaces[] = {"local-", "global-"};

int isthmus_handle(isthmus_object *object, char text[ISTHMUS_HANDLE_BYTES], isthmus_failure *failure) {
  /* What is in a file has a path. */
  if (object->kind == IN_FILE) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  snprintf(text, ISTHMUS_HANDLE_BYTES, "%s%016llx", spaces[object->name_space],
           (unsigned long long)object->id);
  return ISTHMUS_OK;
}

static bool parse_id(const char *text, const char *space, uint64_t *id) {
  for (; *space; space++, text++)
    if (*text != *space) return false;
  *id = 0;
  int digits = 0;
  for (; digits < 16; digits++, text++) {
    bool decimal = *text >= '0' && *text <= '9';
    if (!decimal && !(*text >= 'a' && *text <= 'f')) return false;
    *id = *id << 4 | (uint64_t)(decimal ? *text - '0' : *text - 'a' + 10);
  }
  return *text == 0;
}

int isthmus_open_handle(isthmus_environment *environment, const char *text, bool read_only,
                        isthmus_object **out, isthmus_failure *failure) {
  uint64_t id;
  uint32_t name_space = ISTHMUS_LOCAL;
  if (!parse_id(text, spaces[ISTHMUS_LOCAL], &id)) {
    name_space = ISTHMUS_GLOBAL;
    if (!parse_id(text, spaces[ISTHMUS_GLOBAL], &id)) return refuse(failure, ISTHMUS_INVALID_NAME);
  }
  isthmus_object *object = new_object(environment, NAMELESS, read_only, failure);
  return object ? finish(object, open_card(object, id, name_space, failure), out) : failure->status;
}

/* ---- describing, closing ------------------------------------------------------------------------------- */

static bool is_linked(const isthmus_object *object) {
  if (object->kind == IN_FILE) return is_file_linked(object);
  if (object->kind == NAMED) return object->link.record->id == object->id;
  return object->kind == NAMELESS;
}

int isthmus_object_info(isthmus_object *object, isthmus_info *out, isthmus_failure *failure) {
  *out = (isthmus_info){0};
  if (refresh(object, failure) != ISTHMUS_OK) return failure->status;
  out->bytes = object->bytes;
  if (object->kind == IN_FILE && file_bytes(object, &out->bytes, failure) != ISTHMUS_OK)
    return failure->status;
  out->mode = object->mode;
  out->linked = is_linked(object);
  out->created = object->created;
  out->trusted = is_trusted(object->kind == IN_FILE ? object->file : object->card_section) &&
                 (!object->link.section || is_trusted(object->link.section));
  return ISTHMUS_OK;
}

/* What the system may promise in memory and in files for it, and what of that it has not promised yet. */
static void describe_memory(isthmus_storage *out) {
  MEMORYSTATUSEX found = {.dwLength = sizeof found};
  *out = (isthmus_storage){.in_memory = true};
  if (!GlobalMemoryStatusEx(&found)) return;
  out->total_bytes = found.ullTotalPageFile;
  out->free_bytes =
      found.ullAvailPageFile < found.ullTotalPageFile ? found.ullAvailPageFile : found.ullTotalPageFile;
}

int isthmus_object_storage(isthmus_object *object, isthmus_storage *out, isthmus_failure *failure) {
  if (object->kind == IN_FILE) return file_storage(object, out, failure);
  if (refresh(object, failure) != ISTHMUS_OK) return failure->status;
  describe_memory(out);
  out->stored_bytes = object->bytes;
  return ISTHMUS_OK;
}

/* One thread of the pool waits for so many events at once. */
#define EVENTS_PER_THREAD 63

void isthmus_system_limits(isthmus_limits *out) {
  describe_memory(&out->storage);
  out->place = "Local\\";
  out->words_per_watcher = EVENTS_PER_THREAD;
}

static void close_handle(HANDLE handle) {
  if (handle && handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
}

void isthmus_close(isthmus_object *object) {
  isthmus_failure ignored;
  bool unmapped = isthmus_unmap(object, &ignored) == ISTHMUS_OK;
  close_doorbells(object);
  drop_locks(object);
  close_handle(object->section);
  if (object->card) UnmapViewOfFile(object->card);
  close_handle(object->card_section);
  close_link(&object->link);
  close_handle(object->guard);
  close_handle(object->file);
  isthmus_object **link = &object->environment->objects;
  while (*link != object) link = &(*link)->next;
  *link = object->next;
  /* A mapping that the system does not take back stays in the table, so that nothing is mapped there. */
  if (!unmapped) return;
  release(object->locks);
  release(object->bells);
  release(object->name);
  release(object->path);
  release(object);
}

int isthmus_environment_open(isthmus_bell bell, void *context, isthmus_environment **out,
                             isthmus_failure *failure) {
  isthmus_environment *environment = allocate(sizeof *environment);
  if (!environment) return refuse_os_error(failure, "HeapAlloc", ERROR_NOT_ENOUGH_MEMORY, ISTHMUS_SYSTEM);
  environment->bell = bell;
  environment->context = context;
  *out = environment;
  return ISTHMUS_OK;
}

void isthmus_environment_close(isthmus_environment *environment) {
  while (environment->objects) isthmus_close(environment->objects);
  fill_lost(environment);
  release(environment);
}
