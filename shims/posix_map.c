/* Mapping over memory that a WebAssembly engine owns, and giving it back. */
#include <sys/mman.h>

#include "posix.h"

/* Every mapped object of the process: one memory can be posted to several threads, but be mapped over once. */
static isthmus_object *mapped_objects;
static short_lock mapping_lock;

static bool overlaps(const unsigned char *address, uint64_t bytes) {
  for (const isthmus_object *other = mapped_objects; other; other = other->next_mapped) {
    if (address < other->address + other->bytes && other->address < address + bytes) return true;
  }
  return false;
}

/*
 * Puts back the state in which the engine's own allocation was: private zeros that cost nothing until
 * touched. Private pages count against RLIMIT_DATA, shared ones do not; nobody else can reach either.
 */
bool put_zeros(void *address, uint64_t bytes) {
  int flags = MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
  if (mmap(address, bytes, PROT_READ | PROT_WRITE, flags | MAP_PRIVATE, -1, 0) != MAP_FAILED) return true;
  return mmap(address, bytes, PROT_READ | PROT_WRITE, flags | MAP_SHARED, -1, 0) != MAP_FAILED;
}

static int map_locked(isthmus_object *object, void *address, uint64_t bytes, bool read_only,
                      isthmus_failure *failure) {
  if (overlaps(address, bytes)) return refuse(failure, ISTHMUS_BUSY);
  int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  if (mmap(address, bytes, protection, MAP_FIXED | MAP_SHARED, object->memory, 0) == MAP_FAILED) {
    refuse_errno(failure, "mmap");
    /* Older kernels take the old pages away before they notice that the new ones cannot be mapped. */
    put_zeros(address, bytes);
    return failure->status;
  }
  keep_private(address, bytes);
  object->address = address;
  object->bytes = bytes;
  object->map_read_only = read_only;
  object->next_mapped = mapped_objects;
  mapped_objects = object;
  return ISTHMUS_OK;
}

int isthmus_map(isthmus_object *object, void *address, uint64_t bytes, bool read_only,
                isthmus_failure *failure) {
  uint64_t page_bytes = (uint64_t)getpagesize();
  file_facts facts;
  if (object->address) return refuse(failure, ISTHMUS_BUSY);
  if (object->read_only && !read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (bytes == 0 || (uintptr_t)address % page_bytes != 0 || bytes % page_bytes != 0) {
    return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  }
  if (facts_of_descriptor(object->memory, &facts) != 0) return refuse_errno(failure, FACTS_CALL);
  if (facts.bytes != bytes) return refuse(failure, ISTHMUS_NOT_SUPPORTED);
  become_busy();
  lock_shortly(&mapping_lock);
  int status = map_locked(object, address, bytes, read_only, failure);
  unlock_shortly(&mapping_lock);
  be_idle();
  return status;
}

/* Pages are replaced in one step here. */
void isthmus_begin_mapping(void) {}
void isthmus_end_mapping(void) {}

int isthmus_unmap(isthmus_object *object, isthmus_failure *failure) {
  if (!object->address) return ISTHMUS_OK;
  isthmus_unwatch(object);
  become_busy();
  lock_shortly(&mapping_lock);
  bool done = put_zeros(object->address, object->bytes);
  if (!done) refuse_errno(failure, "mmap");
  if (done) {
    isthmus_object **link = &mapped_objects;
    while (*link != object) link = &(*link)->next_mapped;
    *link = object->next_mapped;
    object->address = NULL;
    object->bytes = 0;
  }
  unlock_shortly(&mapping_lock);
  be_idle();
  return done ? ISTHMUS_OK : failure->status;
}

uint64_t isthmus_mapped_bytes(const isthmus_object *object) { return object->bytes; }

int isthmus_flush(isthmus_object *object, isthmus_failure *failure) {
  if (!object->address || object->map_read_only) return ISTHMUS_OK;
  int result;
  do result = msync(object->address, object->bytes, MS_SYNC);
  while (result != 0 && errno == EINTR);
  if (result == 0 && object->memory == object->descriptor) result = sync_storage(object->memory);
  if (result != 0) return refuse_errno(failure, "msync");
  isthmus_touch(object);
  return ISTHMUS_OK;
}
