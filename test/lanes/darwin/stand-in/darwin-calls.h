/*
 * A stand-in of what macOS has and Linux has not, for the files shims/darwin_*.c: just enough that they can be built
 * and run on Linux (darwin-calls.c). It is included before each of those files. What Apple's manual pages and the
 * public sources of its kernel say is imitated, where the shim depends on it; it is no macOS.
 *
 *   shm_open     names of at most 31 bytes, else ENAMETOOLONG; the descriptor is close-on-exec
 *   ftruncate    of shared memory works once, else EINVAL
 *   read, write  of shared memory are ENXIO
 *   fstat        of shared memory says no type of file; fchmod of it is EINVAL, fsync and fcntl for locks EBADF
 *   fcntl        F_OFD_* by the numbers of macOS, F_PREALLOCATE, F_FULLFSYNC
 *   renamex_np   RENAME_EXCL, RENAME_SWAP
 *   minherit     VM_INHERIT_NONE
 *   dlsym        os_sync_* and __ulock_*, over futex; ISTHMUS_STAND_IN_RELEASE=13 hides the first, =0 both
 */
#ifndef ISTHMUS_STAND_IN_H
#define ISTHMUS_STAND_IN_H

/* First what the system itself has, by its own names. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct darwin_statfs {
  uint32_t f_bsize;
  uint64_t f_blocks, f_bavail, f_files, f_ffree;
  uint32_t f_flags;
  char f_fstypename[16];
};
#define MNT_RDONLY 1

typedef struct {
  unsigned int fst_flags;
  int fst_posmode;
  off_t fst_offset, fst_length, fst_bytesalloc;
} fstore_t;

int darwin_shm_open(const char *name, int flags, ...);
int darwin_shm_unlink(const char *name);
int darwin_ftruncate(int descriptor, off_t bytes);
ssize_t darwin_pread(int descriptor, void *into, size_t bytes, off_t offset);
ssize_t darwin_pwrite(int descriptor, const void *from, size_t bytes, off_t offset);
int darwin_fstat(int descriptor, struct stat *out);
int darwin_fchmod(int descriptor, mode_t mode);
int darwin_fsync(int descriptor);
int darwin_fcntl(int descriptor, int command, ...);
int darwin_renamex_np(const char *from, const char *to, unsigned int flags);
int darwin_minherit(void *address, size_t bytes, int inherit);
int darwin_statfs(const char *path, struct darwin_statfs *out);
int darwin_fstatfs(int descriptor, struct darwin_statfs *out);
void darwin_setname(const char *name);
void darwin_random(void *into, size_t bytes);
void *darwin_dlsym(void *library, const char *name);

#ifndef ISTHMUS_STAND_IN
#define statfs darwin_statfs
#define fstatfs darwin_fstatfs
#define shm_open darwin_shm_open
#define shm_unlink darwin_shm_unlink
#define ftruncate darwin_ftruncate
#define pread darwin_pread
#define pwrite darwin_pwrite
#define fstat darwin_fstat
#define fchmod darwin_fchmod
#define fsync darwin_fsync
#define fcntl darwin_fcntl
#define renamex_np darwin_renamex_np
#define minherit darwin_minherit
#define pthread_setname_np darwin_setname
#define arc4random_buf darwin_random
#define dlsym darwin_dlsym
#undef F_OFD_SETLK
#undef F_OFD_GETLK
#undef ENOTSUP
#define ENOTSUP 45 /* another number than EOPNOTSUPP, as on macOS */
#endif

#define VM_INHERIT_NONE 2
#define F_FULLFSYNC 51
#define F_PREALLOCATE 42
#define F_ALLOCATEALL 4
#define F_PEOFPOSMODE 3
#undef RENAME_SWAP
#undef RENAME_EXCL
#define RENAME_SWAP 2
#define RENAME_EXCL 4

#endif
