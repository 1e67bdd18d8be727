/*
 * Objects: giving them their size, and reading them without a mapping. A section has one size for ever, so an object
 * that gets another size gets another section, of the next generation:
 *
 *   1. under the guard, makes the section …\isthmus.<id>.<generation>.bytes; the system sets memory aside for all of it
 *   2. copies what there is
 *   3. writes the size to the card, where that of the present generation does not stand
 *   4. stores the generation
 *
 * A process that dies before 4 has changed nothing: its section vanishes with it. Others notice the generation when
 * they next look at the object. Who has the former section mapped keeps it: the caller makes sure that nobody has.
 */
#include "windows.h"

/* The sum of this in one file is what a page table can hold at all. */
#define BYTES_MAX (1ull << 46)

static HANDLE make_bytes(const isthmus_object *object, uint32_t generation, uint64_t bytes) {
  char part[24];
  wchar_t name[OBJECT_NAME_CHARS];
  SECURITY_ATTRIBUTES *security = security_for(SECURED_BYTES, object->mode);
  if (!security) return NULL;
  snprintf(part, sizeof part, "%u.bytes", (unsigned)generation);
  name_part(object, name, part);
  HANDLE made = CreateFileMappingW(INVALID_HANDLE_VALUE, security, PAGE_READWRITE, (DWORD)(bytes >> 32),
                                   (DWORD)bytes, name);
  if (!made || GetLastError() != ERROR_ALREADY_EXISTS) return made;
  CloseHandle(made);
  SetLastError(ERROR_ALREADY_EXISTS);
  return NULL;
}

static bool copy_bytes(HANDLE from, HANDLE to, uint64_t bytes) {
  if (!from || bytes == 0) return true;
  void *source = MapViewOfFile(from, FILE_MAP_READ, 0, 0, bytes);
  void *target = source ? MapViewOfFile(to, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes) : NULL;
  if (target) memcpy(target, source, bytes);
  if (source) UnmapViewOfFile(source);
  if (target) UnmapViewOfFile(target);
  return target != NULL;
}

static int refuse_growth(isthmus_failure *failure, const char *call) {
  DWORD os_error = GetLastError();
  bool no_room = os_error == ERROR_NOT_ENOUGH_MEMORY || os_error == ERROR_NO_SYSTEM_RESOURCES ||
                 os_error == ERROR_NOT_ENOUGH_QUOTA || os_error == ERROR_OUTOFMEMORY;
  if (no_room) return refuse_os_error(failure, call, os_error, ISTHMUS_OUT_OF_SHARED_MEMORY);
  return refuse_last_error(failure, call);
}

/* Under the guard. */
static int resize(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  uint32_t generation = object->card->generation + 1;
  HANDLE made = NULL;
  if (bytes > 0) {
    made = make_bytes(object, generation, bytes);
    /* That of a process that died after 1, and is not gone yet. */
    for (int turn = 0; !made && GetLastError() == ERROR_ALREADY_EXISTS && turn < 8; turn++)
      made = make_bytes(object, generation += 2, bytes);
    if (!made) return refuse_growth(failure, "CreateFileMappingW");
    if (!copy_bytes(object->section, made, object->bytes < bytes ? object->bytes : bytes)) {
      refuse_growth(failure, "MapViewOfFile");
      CloseHandle(made);
      return failure->status;
    }
  }
  object->card->bytes[generation % 2] = bytes;
  MemoryBarrier();
  object->card->generation = generation;
  if (object->section) CloseHandle(object->section);
  object->section = made;
  object->generation = generation;
  object->bytes = bytes;
  return ISTHMUS_OK;
}

static int resize_shared(isthmus_object *object, uint64_t bytes, bool grow, isthmus_failure *failure) {
  int status = refresh(object, failure);
  if (status == ISTHMUS_OK) status = take_guard(object->guard, failure);
  if (status != ISTHMUS_OK) return status;
  if (object->card->generation != object->generation) {
    /* Somebody was faster. A guard that this thread has it may take again. */
    status = refresh(object, failure);
  }
  if (status == ISTHMUS_OK && (grow ? object->bytes < bytes : object->bytes > bytes))
    status = resize(object, bytes, failure);
  leave_guard(object->guard);
  return status;
}

int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (bytes > BYTES_MAX)
    return refuse_os_error(failure, "CreateFileMappingW", ERROR_FILE_TOO_LARGE, ISTHMUS_OUT_OF_SHARED_MEMORY);
  if (object->kind != IN_FILE) return resize_shared(object, bytes, true, failure);
  uint64_t present;
  if (file_bytes(object, &present, failure) != ISTHMUS_OK) return failure->status;
  return present >= bytes ? ISTHMUS_OK : set_file_bytes(object, bytes, failure);
}

int isthmus_shrink(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (object->address) return refuse(failure, ISTHMUS_BUSY);
  if (object->kind != IN_FILE) {
    if (refresh(object, failure) != ISTHMUS_OK) return failure->status;
    /* Who got it by its handle may have it mapped. */
    if (object->kind == NAMELESS && object->bytes > bytes) return refuse(failure, ISTHMUS_ACCESS_DENIED);
    return resize_shared(object, bytes, false, failure);
  }
  uint64_t present;
  if (file_bytes(object, &present, failure) != ISTHMUS_OK) return failure->status;
  return present <= bytes ? ISTHMUS_OK : set_file_bytes(object, bytes, failure);
}

/* Views begin at multiples of that. */
#define VIEW_ALIGNMENT 65536u

int isthmus_read(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                 isthmus_failure *failure) {
  *copied = 0;
  if (object->kind == IN_FILE) return read_file(object, offset, into, bytes, copied, failure);
  if (refresh(object, failure) != ISTHMUS_OK) return failure->status;
  if (offset >= object->bytes || bytes == 0) return ISTHMUS_OK;
  uint64_t rest = object->bytes - offset, skipped = offset % VIEW_ALIGNMENT, begin = offset - skipped;
  if (bytes > rest) bytes = rest;
  const char *view =
      MapViewOfFile(object->section, FILE_MAP_READ, (DWORD)(begin >> 32), (DWORD)begin, skipped + bytes);
  if (!view) return refuse_last_error(failure, "MapViewOfFile");
  memcpy(into, view + skipped, bytes);
  UnmapViewOfFile(view);
  *copied = bytes;
  return ISTHMUS_OK;
}
