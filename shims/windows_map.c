/*
 * Mapping over memory that a WebAssembly engine owns, and giving it back. Windows does not map over memory that is
 * reserved. So the reservation of the engine is exchanged for a placeholder, which can be mapped over. Around the
 * memory lie guards that are reserved with it: 0 to 10 GiB, by engine.
 *
 *   map     1. maps the section anywhere, so that its size and the access are known to be right
 *           2. measures the reservation: exactly the memory is committed, everything else is reserved
 *           3. makes a placeholder of it, in one step if it was one before, that is, when it was mapped over and
 *              restored; else releases it and reserves it at once as a placeholder. Between these two another thread
 *              of the process can get a part of the addresses: see `give_up`. The likeliest is one that makes a
 *              memory of the same size, for another object of ours: so those are made one after the other
 *           4. splits it, so that the memory is a placeholder of its own
 *           5. puts the section in the place of that. The guards stay placeholders, which trap as before
 *   unmap   1. takes the section away, which leaves a placeholder
 *           2. joins it with the guards
 *           3. puts a reservation in their place, with the protection that the engine had asked for
 *           4. commits the memory, which holds zeros then
 *
 * Engines free a memory by its first address and end the process if that fails. So what is mapped is always given
 * back before: by isthmus_close, which the environment calls for all that it has open when it ends.
 *
 * A process that dies takes all of it along.
 */
#include "windows.h"

/* Every mapped object of the process: one memory can be posted to several threads, but be mapped over once. */
static isthmus_object *mapped_objects;
static SRWLOCK mapping_lock = SRWLOCK_INIT;
/* Of a thread from before it makes a memory until that is mapped over. */
static SRWLOCK making_lock = SRWLOCK_INIT;

#define RETRIES 50

static bool overlaps(const unsigned char *address, uint64_t bytes) {
  for (const isthmus_object *other = mapped_objects; other; other = other->next_mapped) {
    if (address < other->address + other->mapped_bytes && other->address < address + bytes) return true;
  }
  return false;
}

HANDLE section_of(isthmus_object *object, bool read_only) {
  if (object->kind != IN_FILE) return object->section;
  return CreateFileMappingW(object->file, NULL, read_only ? PAGE_READONLY : PAGE_READWRITE, 0, 0, NULL);
}

/* Step 1 */
static int try_section(HANDLE section, uint64_t bytes, bool read_only, isthmus_failure *failure) {
  void *view =
      MapViewOfFile(section, read_only ? FILE_MAP_READ : FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes);
  if (!view) return refuse_last_error(failure, "MapViewOfFile");
  UnmapViewOfFile(view);
  return ISTHMUS_OK;
}

/* Step 2; false when the memory does not lie in its reservation as that of an engine does. */
static bool measure(isthmus_object *object, unsigned char *address, uint64_t bytes) {
  MEMORY_BASIC_INFORMATION found;
  uint64_t committed = 0;
  if (!VirtualQuery(address, &found, sizeof found) || found.State == MEM_FREE) return false;
  object->base = found.AllocationBase;
  object->protection = found.AllocationProtect;
  object->total_bytes = 0;
  for (;;) {
    unsigned char *at = object->base + object->total_bytes;
    if (!VirtualQuery(at, &found, sizeof found) || found.State == MEM_FREE ||
        (unsigned char *)found.AllocationBase != object->base)
      break;
    if (found.Type != MEM_PRIVATE) return false;
    if (found.State == MEM_COMMIT) {
      if (at < address || at + found.RegionSize > address + bytes || found.Protect != PAGE_READWRITE)
        return false;
      committed += found.RegionSize;
    }
    object->total_bytes += found.RegionSize;
  }
  return committed == bytes;
}

void isthmus_begin_mapping(void) { AcquireSRWLockExclusive(&making_lock); }
void isthmus_end_mapping(void) { ReleaseSRWLockExclusive(&making_lock); }

/*
 * Another thread has got some of the addresses. The engine will free the first one, at the latest when its environment
 * ends: whenever that is free, it gets a reservation again. The caller never touches the memory again, keeps it from
 * being freed as long as it can, and tries another one.
 */
static void fill(const lost_memory *lost) {
  MEMORY_BASIC_INFORMATION found;
  if (!VirtualQuery(lost->base, &found, sizeof found) || found.State != MEM_FREE) return;
  VirtualAlloc(lost->base, found.RegionSize < lost->bytes ? found.RegionSize : lost->bytes, MEM_RESERVE,
               PAGE_NOACCESS);
}

void fill_lost(isthmus_environment *environment) {
  for (uint32_t i = 0; i < environment->lost_count; i++) fill(&environment->lost[i]);
  release(environment->lost);
}

static int give_up(const isthmus_object *object, isthmus_failure *failure) {
  isthmus_environment *environment = object->environment;
  lost_memory lost = {object->base, object->total_bytes};
  refuse_os_error(failure, "VirtualAlloc2", GetLastError(), ISTHMUS_BUSY);
  fill(&lost);
  if (make_room((void **)&environment->lost, environment->lost_count, &environment->lost_room, sizeof lost))
    environment->lost[environment->lost_count++] = lost;
  return failure->status;
}

/* Step 3 */
static int make_placeholder(const isthmus_object *object, const placeholder_calls *calls,
                            isthmus_failure *failure) {
  if (VirtualFree(object->base, object->total_bytes, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER))
    return ISTHMUS_OK;
  HANDLE thread = GetCurrentThread();
  int priority = GetThreadPriority(thread);
  SetThreadPriority(thread, THREAD_PRIORITY_TIME_CRITICAL);
  int status = ISTHMUS_OK;
  if (!VirtualFree(object->base, 0, MEM_RELEASE)) {
    refuse_last_error(failure, "VirtualFree");
    status = failure->status = ISTHMUS_NOT_SUPPORTED;
  } else {
    void *made = NULL;
    for (int turn = 0; !made && turn < RETRIES; turn++) {
      if (turn > 0) Sleep(turn < RETRIES / 2 ? 0 : 1);
      made = calls->allocate(GetCurrentProcess(), object->base, object->total_bytes,
                             MEM_RESERVE | MEM_RESERVE_PLACEHOLDER, PAGE_NOACCESS, NULL, 0);
    }
    if (!made) status = give_up(object, failure);
  }
  SetThreadPriority(thread, priority);
  return status;
}

/* The last three steps of unmapping: of a placeholder, or of one that was split. NULL, or the call that failed. */
static const char *put_back(const isthmus_object *object, unsigned char *address, uint64_t bytes, bool split,
                            const placeholder_calls *calls) {
  if (split && !VirtualFree(object->base, object->total_bytes, MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS))
    return "VirtualFree";
  if (!calls->allocate(GetCurrentProcess(), object->base, object->total_bytes,
                       MEM_RESERVE | MEM_REPLACE_PLACEHOLDER, object->protection, NULL, 0))
    return "VirtualAlloc2";
  return VirtualAlloc(address, bytes, MEM_COMMIT, PAGE_READWRITE) ? NULL : "VirtualAlloc";
}

static int map_locked(isthmus_object *object, HANDLE section, unsigned char *address, uint64_t bytes,
                      const placeholder_calls *calls, isthmus_failure *failure) {
  if (overlaps(address, bytes)) return refuse(failure, ISTHMUS_BUSY);
  if (!measure(object, address, bytes))
    return refuse_os_error(failure, "VirtualQuery", ERROR_INVALID_ADDRESS, ISTHMUS_NOT_SUPPORTED);
  if (make_placeholder(object, calls, failure) != ISTHMUS_OK) return failure->status;
  bool split = bytes != object->total_bytes;
  const char *call = "VirtualFree";
  if (!split || VirtualFree(address, bytes, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER)) {
    call = "MapViewOfFile3";
    ULONG protection = object->map_read_only ? PAGE_READONLY : PAGE_READWRITE;
    if (calls->map(section, GetCurrentProcess(), address, 0, bytes, MEM_REPLACE_PLACEHOLDER, protection, NULL,
                   0)) {
      object->address = address;
      object->mapped_bytes = bytes;
      object->next_mapped = mapped_objects;
      mapped_objects = object;
      return ISTHMUS_OK;
    }
  } else {
    split = false;
  }
  refuse_last_error(failure, call);
  if (put_back(object, address, bytes, split, calls)) failure->status = ISTHMUS_BUSY;
  return failure->status;
}

int isthmus_map(isthmus_object *object, void *address, uint64_t bytes, bool read_only,
                isthmus_failure *failure) {
  placeholder_calls calls;
  isthmus_info info;
  if (object->address) return refuse(failure, ISTHMUS_BUSY);
  if (object->read_only && !read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (bytes == 0 || (uintptr_t)address % 65536 != 0 || bytes % 65536 != 0)
    return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  if (isthmus_object_info(object, &info, failure) != ISTHMUS_OK) return failure->status;
  if (info.bytes != bytes) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  if (!placeholders(&calls))
    return refuse_os_error(failure, "VirtualAlloc2", GetLastError(), ISTHMUS_NOT_SUPPORTED);
  HANDLE section = section_of(object, read_only);
  if (!section) return refuse_last_error(failure, "CreateFileMappingW");
  int status = try_section(section, bytes, read_only, failure);
  if (status == ISTHMUS_OK) {
    object->map_read_only = read_only;
    AcquireSRWLockExclusive(&mapping_lock);
    status = map_locked(object, section, address, bytes, &calls, failure);
    ReleaseSRWLockExclusive(&mapping_lock);
  }
  if (section != object->section) CloseHandle(section);
  return status;
}

int isthmus_unmap(isthmus_object *object, isthmus_failure *failure) {
  placeholder_calls calls;
  if (!object->address) return ISTHMUS_OK;
  isthmus_unwatch(object);
  if (!placeholders(&calls)) return refuse_last_error(failure, "VirtualAlloc2");
  AcquireSRWLockExclusive(&mapping_lock);
  const char *call = "UnmapViewOfFile2";
  if (calls.unmap(GetCurrentProcess(), object->address, MEM_PRESERVE_PLACEHOLDER))
    call = put_back(object, object->address, object->mapped_bytes,
                    object->mapped_bytes != object->total_bytes, &calls);
  if (call) refuse_last_error(failure, call);
  if (!call) {
    isthmus_object **link = &mapped_objects;
    while (*link != object) link = &(*link)->next_mapped;
    *link = object->next_mapped;
    object->address = NULL;
    object->mapped_bytes = 0;
  }
  ReleaseSRWLockExclusive(&mapping_lock);
  return call ? failure->status : ISTHMUS_OK;
}

uint64_t isthmus_mapped_bytes(const isthmus_object *object) { return object->mapped_bytes; }
