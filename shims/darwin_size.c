/*
 * Giving objects their size, and reading them without a mapping.
 *
 * Shared memory takes a size once, and keeps it. Its pages come with the first touch, from memory and the swap files
 * of the system together; nothing sets them aside, and no limit of its own is known. A file gets its storage at once,
 * and can be made longer and shorter.
 */
#include <string.h>
#include <sys/resource.h>

#include "posix.h"

/* Growing beyond RLIMIT_FSIZE would not only fail but also end the process with SIGXFSZ. */
static bool is_beyond_limit(uint64_t bytes) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur;
}

static int allocate_memory(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  file_facts facts;
  int result;
  if (facts_of_descriptor(object->memory, &facts) != 0) return refuse_errno(failure, "fstat");
  if (facts.bytes >= bytes) return ISTHMUS_OK;
  do result = ftruncate(object->memory, (off_t)bytes);
  while (result != 0 && errno == EINTR);
  if (result == 0) return ISTHMUS_OK;
  int os_error = errno;
  /* Somebody else gave it a size meanwhile. */
  if (facts_of_descriptor(object->memory, &facts) == 0 && facts.bytes >= bytes) return ISTHMUS_OK;
  int status = os_error == ENOMEM ? ISTHMUS_OUT_OF_SHARED_MEMORY : status_of_os_error("ftruncate", os_error);
  return refuse_os_error(failure, "ftruncate", os_error, status);
}

/* 0, or -1 with errno. */
static int grow_file(int descriptor, uint64_t from, uint64_t to, const char **call) {
  fstore_t wanted = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)(to - from), 0};
  int result;
  *call = "fcntl";
  do result = fcntl(descriptor, F_PREALLOCATE, &wanted);
  while (result != 0 && errno == EINTR);
  bool unknown = errno == ENOTSUP || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY;
  if (result != 0 && unknown) {
    *call = "pwrite";
    return write_zeros(descriptor, from, to);
  }
  if (result != 0) return -1;
  *call = "ftruncate";
  do result = ftruncate(descriptor, (off_t)to);
  while (result != 0 && errno == EINTR);
  return result;
}

int isthmus_allocate(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (object->memory != object->descriptor) return allocate_memory(object, bytes, failure);
  int descriptor = object->descriptor;
  file_facts facts;
  if (facts_of_descriptor(descriptor, &facts) != 0) return refuse_errno(failure, "fstat");
  if (facts.bytes >= bytes && !may_have_holes(descriptor, bytes, facts.stored_bytes)) return ISTHMUS_OK;
  if (is_beyond_limit(bytes))
    return refuse_os_error(failure, "ftruncate", EFBIG, ISTHMUS_OUT_OF_SHARED_MEMORY);
  const char *call = "pwrite";
  int result = fill_holes(descriptor, facts.bytes < bytes ? facts.bytes : bytes, facts.stored_bytes);
  if (result == 0 && facts.bytes < bytes) result = grow_file(descriptor, facts.bytes, bytes, &call);
  return result == 0 ? ISTHMUS_OK : take_growth_back(descriptor, facts.bytes, call, failure);
}

/* Shared memory cannot be read but through a mapping. It never gets shorter, so that the mapping holds. */
static int read_memory(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                       isthmus_failure *failure) {
  file_facts facts;
  if (facts_of_descriptor(object->memory, &facts) != 0) return refuse_errno(failure, "fstat");
  if (offset >= facts.bytes || bytes == 0) return ISTHMUS_OK;
  if (bytes > facts.bytes - offset) bytes = facts.bytes - offset;
  uint64_t before = offset % (uint64_t)getpagesize();
  become_busy();
  char *pages = mmap(NULL, before + bytes, PROT_READ, MAP_SHARED, object->memory, (off_t)(offset - before));
  if (pages == MAP_FAILED) {
    refuse_errno(failure, "mmap");
  } else {
    memcpy(into, pages + before, bytes);
    munmap(pages, before + bytes);
    *copied = bytes;
  }
  be_idle();
  return pages == MAP_FAILED ? failure->status : ISTHMUS_OK;
}

int isthmus_read(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
                 isthmus_failure *failure) {
  *copied = 0;
  if (object->memory != object->descriptor) return read_memory(object, offset, into, bytes, copied, failure);
  return read_file(object->descriptor, offset, into, bytes, copied, failure);
}
