/* Storage for the holes of a file, and giving back what was set aside. */
#include <unistd.h>

#include "posix.h"

static char zeros[16384]; /* not const: so it takes no room in the binary */

int write_zeros(int descriptor, uint64_t from, uint64_t to) {
  while (from < to) {
    uint64_t rest = to - from;
    ssize_t written = pwrite(descriptor, zeros, rest < sizeof zeros ? rest : sizeof zeros, (off_t)from);
    if (written < 0 && errno != EINTR) return -1;
    if (written > 0) from += (uint64_t)written;
  }
  return 0;
}

static bool all_zero(const char *at, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] != 0) return false;
  }
  return true;
}

/*
 * For file systems that do not tell where holes are: only a page that reads as zeros can be one, and writing
 * zeros there changes nothing.
 */
static int rewrite_zeros(int descriptor, uint64_t from, uint64_t to) {
  char page[2048];
  while (from < to) {
    uint64_t rest = to - from;
    ssize_t got = pread(descriptor, page, rest < sizeof page ? rest : sizeof page, (off_t)from);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) return 0;
    uint64_t next = from + (uint64_t)got;
    if (all_zero(page, (size_t)got) && write_zeros(descriptor, from, next) != 0) return -1;
    from = next;
  }
  return 0;
}

/* Where the next byte of that kind is, at most `end`; UINT64_MAX when the file system does not tell. */
static uint64_t seek(int descriptor, uint64_t from, int kind, uint64_t end) {
  int64_t at = lseek(descriptor, (off_t)from, kind);
  if (at >= 0) return (uint64_t)at < end ? (uint64_t)at : end;
  return errno == ENXIO ? end : UINT64_MAX;
}

/* Whether some of the first `end` bytes have no storage, or it is not known. */
bool may_have_holes(int descriptor, uint64_t end, uint64_t stored_bytes) {
  return stored_bytes < end || seek(descriptor, 0, SYSTEM_SEEK_HOLE, end) != end;
}

/*
 * Gives storage to the holes among the first `end` bytes without fallocate(). Some file systems take
 * SEEK_HOLE and say that all is data: there the storage that the file has is less than its size.
 */
int fill_holes(int descriptor, uint64_t end, uint64_t stored_bytes) {
  uint64_t hole = seek(descriptor, 0, SYSTEM_SEEK_HOLE, end);
  if (hole == UINT64_MAX || (hole == end && stored_bytes < end)) return rewrite_zeros(descriptor, 0, end);
  while (hole < end) {
    uint64_t data = seek(descriptor, hole, SYSTEM_SEEK_DATA, end);
    if (data == UINT64_MAX) return rewrite_zeros(descriptor, hole, end);
    if (write_zeros(descriptor, hole, data) != 0) return -1;
    hole = data < end ? seek(descriptor, data, SYSTEM_SEEK_HOLE, end) : end;
  }
  return 0;
}

static int refuse_growth(isthmus_failure *failure, const char *call) {
  if (errno != ENOMEM) return refuse_errno(failure, call);
  return refuse_os_error(failure, call, ENOMEM, ISTHMUS_OUT_OF_SHARED_MEMORY);
}

int take_growth_back(int descriptor, uint64_t bytes, const char *call, isthmus_failure *failure) {
  file_facts facts;
  int result;
  refuse_growth(failure, call);
  if (facts_of_descriptor(descriptor, &facts) != 0 || facts.bytes <= bytes) return failure->status;
  do result = ftruncate(descriptor, (off_t)bytes);
  while (result != 0 && errno == EINTR);
  return failure->status;
}

int isthmus_shrink(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  file_facts facts;
  if (object->read_only) return refuse(failure, ISTHMUS_READ_ONLY);
  if (object->address) return refuse(failure, ISTHMUS_BUSY);
  if (facts_of_descriptor(object->memory, &facts) != 0) return refuse_errno(failure, FACTS_CALL);
  if (facts.bytes <= bytes) return ISTHMUS_OK;
  int result;
  do result = ftruncate(object->memory, (off_t)bytes);
  while (result != 0 && errno == EINTR);
  if (result == 0) return ISTHMUS_OK;
  /* On Linux, the seal of isthmus_open_anonymous. */
  if (errno == EPERM && object->kind == NAMELESS)
    return refuse_os_error(failure, "ftruncate", EPERM, ISTHMUS_ACCESS_DENIED);
  return refuse_errno(failure, "ftruncate");
}
