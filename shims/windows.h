/*
 * What the Windows files of the shim share. They use KERNEL32 and ADVAPI32 only, and no C runtime: windows_memory.c
 * and windows_text.c have the few functions of it that the binding calls. What older systems lack is looked up at run
 * time (windows_load.c).
 *
 * Every text that names a kernel object is built of ASCII: see windows_name.c.
 */
#ifndef ISTHMUS_WINDOWS_H
#define ISTHMUS_WINDOWS_H

#ifndef WIN32_LEAN_AND_MEAN
#error "compile with -DWIN32_LEAN_AND_MEAN"
#endif

#include <windows.h>

#include <string.h>

#include "isthmus_shim.h"

#define NAME_BYTES_MAX 200
/* Room for the longest name of a kernel object, with its NUL. */
#define OBJECT_NAME_CHARS 320
#define PATH_CHARS_MAX 4400

typedef enum { NAMED, STAGED, NAMELESS, IN_FILE } object_kind;

/* What each object has besides its bytes: see windows_object.c. */
typedef struct {
  uint32_t magic; /* written last */
  uint32_t mode;
  volatile uint64_t bytes[2]; /* of generation g: bytes[g % 2] */
  volatile uint32_t generation;
} card;

/* What a name leads to: see windows_name.c. */
typedef struct {
  uint32_t magic; /* written last */
  uint32_t unused;
  volatile uint64_t id; /* of the object that has the name; 0: none has */
  char name[NAME_BYTES_MAX + 8];
} name_record;

/* A name that is open: as long as somebody has it open, it exists. */
typedef struct {
  HANDLE turn;
  HANDLE section;
  name_record *record;
  bool writable;
} name_link;

typedef struct {
  HANDLE handle;
  uint32_t index;
  bool shared;
} held_lock;

typedef struct {
  isthmus_object *object;
  HANDLE event;
  HANDLE registration; /* of the thread pool, NULL when nobody watches it here */
  uint64_t offset;
} doorbell;

struct isthmus_object {
  isthmus_environment *environment;
  isthmus_object *next;        /* in the environment */
  isthmus_object *next_mapped; /* in the process, under the mapping lock */
  /* The mapping, and the reservation of the engine around it as it was found. */
  unsigned char *address; /* NULL when not mapped */
  uint64_t mapped_bytes;
  unsigned char *base;
  uint64_t total_bytes;
  DWORD protection;
  object_kind kind;
  bool read_only;
  bool map_read_only;
  bool created;
  uint32_t name_space;
  uint32_t mode;
  uint64_t id;
  wchar_t prefix[80]; /* of all kernel objects that belong to it */
  HANDLE guard;
  /* Not of files: */
  HANDLE card_section;
  card *card;
  HANDLE section; /* NULL while there are no bytes */
  uint32_t generation;
  uint64_t bytes;
  name_link link;
  char *name; /* that of a NAMED object, or that a STAGED one will have */
  /* Of files only: */
  HANDLE file;
  wchar_t *path;
  held_lock *locks;
  uint32_t lock_count, lock_room;
  doorbell **bells;
  uint32_t bell_count, bell_room;
};

typedef struct {
  unsigned char *base;
  uint64_t bytes;
} lost_memory;

struct isthmus_environment {
  isthmus_object *objects;
  lost_memory *lost; /* see windows_map.c */
  uint32_t lost_count, lost_room;
  isthmus_bell bell;
  void *context;
};

/* windows_failure.c */
int refuse(isthmus_failure *failure, int status);
/* Refuses with the code for GetLastError() as it is now. */
int refuse_last_error(isthmus_failure *failure, const char *call);
int refuse_os_error(isthmus_failure *failure, const char *call, DWORD os_error, int status);

/* windows_memory.c: strlen and its like as in C; zeroed memory; NULL when there is none */
void *allocate(size_t bytes);
void release(void *memory);
/* Makes room for one more; false when there is no memory. */
bool make_room(void **list, uint32_t count, uint32_t *room, size_t bytes_each);

/* windows_text.c */
/* Also for the binding. Of C's it knows %s, %d, %u, %x and %llx with 0 and a width, %.0f and %%. */
int snprintf(char *into, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The prefix, and an ASCII text after it. False when they do not fit. */
bool put_wide(wchar_t *into, size_t chars, const wchar_t *prefix, const char *text);
/* The UTF-16 text of a UTF-8 one, to be released; NULL when there is no memory or it is not UTF-8. */
wchar_t *widen(const char *text);
bool is_same_text(const char *one, const char *other);

/* windows_security.c */
typedef enum { SECURED_BYTES, SECURED_NAME, SECURED_SIGNAL, SECURED_FILE, SECURED_KINDS } secured;
/* The access that an object of that mode gives; it lives for ever. NULL with a last error. */
SECURITY_ATTRIBUTES *security_for(secured kind, uint32_t mode);
/* Whether this user or the system owns it. */
bool is_trusted(HANDLE object);
/* The mode that says who has access to a file. */
uint32_t mode_of_file(HANDLE file);
/* Refuses as refuse_last_error, and names the privilege that a section in Global\ needs where that is the reason. */
int refuse_section(isthmus_failure *failure, const char *call, uint32_t name_space);

/* windows_guard.c */
#define SECTION_READ (FILE_MAP_READ | READ_CONTROL)
#define SECTION_WRITE (FILE_MAP_READ | FILE_MAP_WRITE | READ_CONTROL)
HANDLE make_event(const wchar_t *name, uint32_t mode);
HANDLE open_event(const wchar_t *name);
HANDLE make_mutex(const wchar_t *name, uint32_t mode);
/* Waits for the few instructions that another thread or process needs; SYSTEM when it is stopped meanwhile. */
int take_guard(HANDLE guard, isthmus_failure *failure);
void leave_guard(HANDLE guard);

/* windows_name.c */
#define OBJECT_PREFIX "isthmus."
const wchar_t *space_prefix(uint32_t name_space);
bool is_name(const char *name);
/*
 * Opens the name and takes its guard. With `create`, makes what is absent, for objects of that mode. NOT_FOUND when
 * there is no such name.
 */
int open_link(const char *name, uint32_t name_space, bool create, uint32_t mode, name_link *out,
              isthmus_failure *failure);
void close_link(name_link *link);
/* Under the guard of the link, which becomes the object's. */
int give_name(isthmus_object *object, name_link *link, isthmus_failure *failure);
bool object_exists(uint64_t id, uint32_t name_space);

/* windows_lock.c */
void drop_locks(isthmus_object *object);

/* windows_object.c */
bool random_bytes(void *into, uint32_t bytes);
/* The list of the environment gets it. NULL with a failure. */
isthmus_object *new_object(isthmus_environment *environment, object_kind kind, bool read_only,
                           isthmus_failure *failure);
/* Opens the object of that id. */
int open_card(isthmus_object *object, uint64_t id, uint32_t name_space, isthmus_failure *failure);
/* Learns of a size that another process has given to the object. */
int refresh(isthmus_object *object, isthmus_failure *failure);
void name_part(const isthmus_object *object, wchar_t out[OBJECT_NAME_CHARS], const char *part);

/* windows_file.c */
bool is_file_linked(const isthmus_object *object);
int file_bytes(const isthmus_object *object, uint64_t *out, isthmus_failure *failure);
int file_storage(const isthmus_object *object, isthmus_storage *out, isthmus_failure *failure);
int remove_file(isthmus_object *object, bool *removed, isthmus_failure *failure);
int set_file_bytes(isthmus_object *object, uint64_t bytes, isthmus_failure *failure);
int read_file(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
              isthmus_failure *failure);

/* windows_map.c */
/* A section of the bytes as they are now, which the caller closes unless it is that of the object. */
HANDLE section_of(isthmus_object *object, bool read_only);
/* The last thing that is done for the environment. */
void fill_lost(isthmus_environment *environment);

/* windows_wait.c */
void close_doorbells(isthmus_object *object);

/* windows_load.c: NULL where the system has none */
typedef PVOID(WINAPI *virtual_alloc_2)(HANDLE, PVOID, SIZE_T, ULONG, ULONG, void *, ULONG);
typedef PVOID(WINAPI *map_view_of_file_3)(HANDLE, HANDLE, PVOID, ULONG64, SIZE_T, ULONG, ULONG, void *,
                                          ULONG);
typedef BOOL(WINAPI *unmap_view_of_file_2)(HANDLE, PVOID, ULONG);
typedef struct {
  virtual_alloc_2 allocate;
  map_view_of_file_3 map;
  unmap_view_of_file_2 unmap;
} placeholder_calls;
/* False, with a last error, where there are no placeholders. */
bool placeholders(placeholder_calls *out);

#endif
