/*
 * Names. A section has one size for ever and cannot be renamed. So a name leads to an object in two steps: the *name
 * section* holds a record with the id of the object that has the name now, and whatever belongs to an object has its
 * id in its own name (windows_object.c). To give a name, to take it away and to pass it on are each one store of 64
 * bits to the record.
 *
 *   <Local|Global>\isthmus.<key>.name    the name section
 *   <Local|Global>\isthmus.<key>.turn    the guard of the record
 *
 * Kernel objects of all kinds share one namespace that ignores case. So the key is the name with every byte escaped
 * that is not a small letter, a digit, '-', '_' or '.'; of a long name it is the beginning and a hash. The record has
 * the name itself.
 *
 *   open    1. opens the name section, or makes it
 *           2. opens the guard and takes it. Whoever has the section open has the guard open: when it is not there,
 *              the section is on its way out, and 1 begins again
 *           3. writes the record, its magic number last, if there is none
 *           4. looks whether the object of that id is there; if not, its last holder has gone and the name is free
 *           5. opens the object, or makes one and stores its id
 *           6. leaves the guard, and keeps both open as long as the object
 *
 * A name section vanishes with its last handle, so that nothing is left of a process that ends in any way. If it ends
 * between two steps, the guard is abandoned, and the record says either what it said before or what it says after.
 */
#include <winternl.h>

#include "windows.h"

#define NAME_MAGIC 0x4e545349u /* "ISTN" */
#define KEY_CHARS_MAX 160
#define TURNS_MAX 100

const wchar_t *space_prefix(uint32_t name_space) {
  return name_space == ISTHMUS_GLOBAL ? L"Global\\" : L"Local\\";
}

bool is_name(const char *name) {
  size_t bytes = strlen(name);
  for (size_t i = 0; i < bytes; i++) {
    unsigned char byte = (unsigned char)name[i];
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\') return false;
  }
  return bytes > 0 && bytes <= NAME_BYTES_MAX;
}

static uint64_t hash_of(const char *text, uint64_t hash) {
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
  return hash;
}

static void key_of(const char *name, char key[KEY_CHARS_MAX + 1]) {
  size_t at = 0;
  const char *from = name;
  for (; *from && at + 3 <= KEY_CHARS_MAX - 33; from++) {
    unsigned char byte = (unsigned char)*from;
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
                 byte == '.';
    if (plain)
      key[at++] = (char)byte;
    else
      at += (size_t)snprintf(key + at, 4, "%%%02x", byte);
  }
  key[at] = 0;
  if (*from) {
    snprintf(key + at, KEY_CHARS_MAX + 1 - at, "~%016llx%016llx",
             (unsigned long long)hash_of(name, 0xcbf29ce484222325u),
             (unsigned long long)hash_of(name, 0x9ae16a3b2f90404fu));
  }
}

static void whole_name(wchar_t out[OBJECT_NAME_CHARS], uint32_t name_space, const char *key,
                       const char *suffix) {
  char text[OBJECT_NAME_CHARS];
  snprintf(text, sizeof text, OBJECT_PREFIX "%s.%s", key, suffix);
  put_wide(out, OBJECT_NAME_CHARS, space_prefix(name_space), text);
}

/* Opens it as far as this user may; NULL with a last error. */
static HANDLE open_section(const wchar_t *name, bool *writable) {
  HANDLE section = OpenFileMappingW(SECTION_WRITE, FALSE, name);
  *writable = section != NULL;
  if (section || GetLastError() != ERROR_ACCESS_DENIED) return section;
  return OpenFileMappingW(SECTION_READ, FALSE, name);
}

static HANDLE make_section(const wchar_t *name, uint32_t mode, bool *writable) {
  SECURITY_ATTRIBUTES *security = security_for(SECURED_NAME, mode);
  if (!security) return NULL;
  HANDLE section =
      CreateFileMappingW(INVALID_HANDLE_VALUE, security, PAGE_READWRITE, 0, sizeof(name_record), name);
  *writable = section != NULL;
  if (section || GetLastError() != ERROR_ACCESS_DENIED) return section;
  /* Another user's, or there is none and this user may not make it: the first error tells. */
  section = open_section(name, writable);
  if (!section) SetLastError(ERROR_ACCESS_DENIED);
  return section;
}

void close_link(name_link *link) {
  if (link->record) UnmapViewOfFile(link->record);
  if (link->section) CloseHandle(link->section);
  if (link->turn) CloseHandle(link->turn);
  *link = (name_link){0};
}

/* Under the guard. */
static int check_record(const char *name, name_link *link, isthmus_failure *failure) {
  if (link->record->magic == 0 && link->writable) {
    size_t i = 0;
    for (; name[i]; i++) link->record->name[i] = name[i];
    link->record->name[i] = 0;
    link->record->id = 0;
    MemoryBarrier();
    link->record->magic = NAME_MAGIC;
  }
  if (link->record->magic == NAME_MAGIC && is_same_text(link->record->name, name)) return ISTHMUS_OK;
  return refuse_os_error(failure, "MapViewOfFile", ERROR_INVALID_HANDLE, ISTHMUS_ACCESS_DENIED);
}

/* Steps 1 and 2 without taking the guard. NOT_FOUND of the guard alone: begin again. */
static int try_link(const wchar_t *section_name, const wchar_t *turn_name, uint32_t name_space, bool create,
                    uint32_t mode, name_link *out, bool *again, isthmus_failure *failure) {
  *again = false;
  if (create) {
    if (!(out->turn = make_mutex(turn_name, mode)) && GetLastError() != ERROR_ACCESS_DENIED)
      return refuse_last_error(failure, "CreateMutexExW");
    out->section = make_section(section_name, mode, &out->writable);
    if (!out->section) return refuse_section(failure, "CreateFileMappingW", name_space);
  } else {
    out->section = open_section(section_name, &out->writable);
    if (!out->section) return refuse_last_error(failure, "OpenFileMappingW");
  }
  if (!out->turn) out->turn = OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, turn_name);
  if (!out->turn) {
    *again = GetLastError() == ERROR_FILE_NOT_FOUND;
    return refuse_last_error(failure, "OpenMutexW");
  }
  DWORD access = out->writable ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ;
  out->record = MapViewOfFile(out->section, access, 0, 0, sizeof(name_record));
  /* What is smaller than a record is none of ours. */
  if (!out->record) return refuse_os_error(failure, "MapViewOfFile", GetLastError(), ISTHMUS_ACCESS_DENIED);
  return ISTHMUS_OK;
}

int open_link(const char *name, uint32_t name_space, bool create, uint32_t mode, name_link *out,
              isthmus_failure *failure) {
  char key[KEY_CHARS_MAX + 1];
  wchar_t section_name[OBJECT_NAME_CHARS], turn_name[OBJECT_NAME_CHARS];
  *out = (name_link){0};
  if (!is_name(name)) return refuse(failure, ISTHMUS_INVALID_NAME);
  key_of(name, key);
  whole_name(section_name, name_space, key, "name");
  whole_name(turn_name, name_space, key, "turn");
  bool again = true;
  int status = ISTHMUS_OK;
  for (int turn = 0; again && turn < TURNS_MAX; turn++) {
    if (turn > 0) Sleep(0);
    status = try_link(section_name, turn_name, name_space, create, mode, out, &again, failure);
    if (status != ISTHMUS_OK) close_link(out);
  }
  if (status == ISTHMUS_OK && (status = take_guard(out->turn, failure)) == ISTHMUS_OK) {
    status = check_record(name, out, failure);
    if (status == ISTHMUS_OK) return ISTHMUS_OK; /* with the guard */
    leave_guard(out->turn);
  }
  close_link(out);
  return status;
}

bool object_exists(uint64_t id, uint32_t name_space) {
  char key[24];
  wchar_t name[OBJECT_NAME_CHARS];
  if (id == 0) return false;
  snprintf(key, sizeof key, "%016llx", (unsigned long long)id);
  whole_name(name, name_space, key, "card");
  HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
  bool exists = section != NULL || GetLastError() == ERROR_ACCESS_DENIED;
  if (section) CloseHandle(section);
  return exists;
}

/* Under the guard: the name leads nowhere from now on. */
static int take_away(name_link *link, isthmus_failure *failure) {
  if (!link->writable)
    return refuse_os_error(failure, "OpenFileMappingW", ERROR_ACCESS_DENIED, ISTHMUS_ACCESS_DENIED);
  link->record->id = 0;
  return ISTHMUS_OK;
}

int isthmus_unlink(const char *name, uint32_t name_space, isthmus_failure *failure) {
  name_link link;
  if (open_link(name, name_space, false, 0, &link, failure) != ISTHMUS_OK) return failure->status;
  int status = object_exists(link.record->id, name_space)
                   ? take_away(&link, failure)
                   : refuse_os_error(failure, "OpenFileMappingW", ERROR_FILE_NOT_FOUND, ISTHMUS_NOT_FOUND);
  leave_guard(link.turn);
  close_link(&link);
  return status;
}

int isthmus_remove(isthmus_object *object, bool *removed, isthmus_failure *failure) {
  *removed = false;
  if (object->kind == IN_FILE) return remove_file(object, removed, failure);
  if (object->kind != NAMED || object->link.record->id != object->id) return ISTHMUS_OK;
  int status = take_guard(object->link.turn, failure);
  if (status != ISTHMUS_OK) return status;
  if (object->link.record->id == object->id) {
    status = take_away(&object->link, failure);
    *removed = status == ISTHMUS_OK;
  }
  leave_guard(object->link.turn);
  return status;
}

int isthmus_publish(isthmus_object *object, bool replace, isthmus_failure *failure) {
  name_link link;
  if (object->kind != STAGED) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  if (open_link(object->name, object->name_space, true, object->mode, &link, failure) != ISTHMUS_OK)
    return failure->status;
  int status = ISTHMUS_OK;
  if (!replace && object_exists(link.record->id, object->name_space))
    status = refuse_os_error(failure, "CreateFileMappingW", ERROR_ALREADY_EXISTS, ISTHMUS_ALREADY_EXISTS);
  else
    status = give_name(object, &link, failure);
  leave_guard(link.turn);
  if (status != ISTHMUS_OK) close_link(&link);
  return status;
}

int give_name(isthmus_object *object, name_link *link, isthmus_failure *failure) {
  if (!link->writable)
    return refuse_os_error(failure, "OpenFileMappingW", ERROR_ACCESS_DENIED, ISTHMUS_ACCESS_DENIED);
  link->record->id = object->id;
  object->link = *link;
  object->kind = NAMED;
  return ISTHMUS_OK;
}

/* ---- listing ------------------------------------------------------------------------------------------- */

typedef struct {
  UNICODE_STRING name, type;
} directory_entry;

typedef NTSTATUS(NTAPI *open_directory)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
typedef NTSTATUS(NTAPI *query_directory)(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
#define DIRECTORY_MAY_QUERY 1
#define ENTRY_ROOM 2048

static bool ends_in_name(const UNICODE_STRING *text) {
  static const wchar_t prefix[] = L"isthmus.", suffix[] = L".name";
  size_t chars = text->Length / sizeof(wchar_t), begin = sizeof prefix / sizeof prefix[0] - 1;
  size_t end = sizeof suffix / sizeof suffix[0] - 1;
  if (chars <= begin + end || chars >= OBJECT_NAME_CHARS - 10) return false;
  for (size_t i = 0; i < begin; i++)
    if (text->Buffer[i] != prefix[i]) return false;
  for (size_t i = 0; i < end; i++)
    if (text->Buffer[chars - end + i] != suffix[i]) return false;
  return true;
}

/* Copies what it needs: the record may change, and its maker need not be one of us. */
static void visit(const UNICODE_STRING *entry, uint32_t name_space, void (*each)(void *, const char *),
                  void *context) {
  wchar_t whole[OBJECT_NAME_CHARS];
  char name[NAME_BYTES_MAX + 1];
  size_t at = 0, chars = entry->Length / sizeof(wchar_t);
  for (const wchar_t *from = space_prefix(name_space); *from; from++) whole[at++] = *from;
  for (size_t i = 0; i < chars; i++) whole[at++] = entry->Buffer[i];
  whole[at] = 0;
  HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, whole);
  if (!section) return;
  name_record *record = MapViewOfFile(section, FILE_MAP_READ, 0, 0, sizeof *record);
  if (record && record->magic == NAME_MAGIC && object_exists(record->id, name_space)) {
    for (at = 0; at < NAME_BYTES_MAX && record->name[at]; at++) name[at] = record->name[at];
    name[at] = 0;
    if (is_name(name)) each(context, name);
  }
  if (record) UnmapViewOfFile(record);
  CloseHandle(section);
}

/* The directory in which the system keeps named objects; NULL with a failure. */
static HANDLE open_names(uint32_t name_space, isthmus_failure *failure) {
  DWORD session = 0;
  char text[64];
  wchar_t path[64];
  HMODULE system = GetModuleHandleW(L"ntdll.dll");
  open_directory open = (open_directory)(void *)GetProcAddress(system, "NtOpenDirectoryObject");
  HANDLE directory = NULL;
  if (!open) {
    refuse_os_error(failure, "NtOpenDirectoryObject", ERROR_PROC_NOT_FOUND, ISTHMUS_NOT_SUPPORTED);
    return NULL;
  }
  ProcessIdToSessionId(GetCurrentProcessId(), &session);
  if (name_space == ISTHMUS_GLOBAL || session == 0)
    snprintf(text, sizeof text, "\\BaseNamedObjects");
  else
    snprintf(text, sizeof text, "\\Sessions\\%u\\BaseNamedObjects", (unsigned)session);
  put_wide(path, sizeof path / sizeof path[0], L"", text);
  UNICODE_STRING name = {(USHORT)(strlen(text) * sizeof(wchar_t)), sizeof path, path};
  OBJECT_ATTRIBUTES attributes = {0};
  attributes.Length = sizeof attributes;
  attributes.ObjectName = &name;
  NTSTATUS status = open(&directory, DIRECTORY_MAY_QUERY, &attributes);
  if (status >= 0) return directory;
  refuse_os_error(failure, "NtOpenDirectoryObject", (DWORD)status, ISTHMUS_SYSTEM);
  return NULL;
}

int isthmus_list(uint32_t name_space, void (*each)(void *, const char *), void *context,
                 isthmus_failure *failure) {
  HMODULE system = GetModuleHandleW(L"ntdll.dll");
  query_directory query = (query_directory)(void *)GetProcAddress(system, "NtQueryDirectoryObject");
  HANDLE directory = open_names(name_space, failure);
  if (!directory) return failure->status;
  ULONG position = 0, filled;
  _Alignas(8) char room[ENTRY_ROOM];
  directory_entry *entry = (directory_entry *)room;
  /* One entry at a time: names come and go meanwhile. */
  while (query && query(directory, room, sizeof room, TRUE, FALSE, &position, &filled) == 0) {
    if (ends_in_name(&entry->name)) visit(&entry->name, name_space, each, context);
  }
  CloseHandle(directory);
  return ISTHMUS_OK;
}
