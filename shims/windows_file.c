/*
 * Objects in files. The guard and the locks of a file have names too, made of what tells the file from every other on
 * this machine: the number of its volume and its own. They are always in Global\, so that processes of all sessions
 * meet. Who may open the file may open them.
 *
 * A file may be renamed or removed while it is open, as elsewhere. The system itself refuses to truncate what somebody
 * has mapped: that is BUSY.
 */
#include "windows.h"

/* Of the file systems of Windows. Which error they have for a longer one differs. */
#define COMPONENT_CHARS_MAX 255

static bool has_long_component(const wchar_t *path) {
  size_t chars = 0;
  for (; *path; path++) {
    chars = *path == L'\\' ? 0 : chars + 1;
    if (chars > COMPONENT_CHARS_MAX) return true;
  }
  return false;
}

static wchar_t *widen_path(const char *path, isthmus_failure *failure) {
  wchar_t *given = widen(path);
  wchar_t *whole = allocate(PATH_CHARS_MAX * sizeof *whole);
  DWORD chars = 0;
  if (!given || !whole) {
    refuse_os_error(failure, "MultiByteToWideChar", given ? ERROR_NOT_ENOUGH_MEMORY : ERROR_INVALID_NAME,
                    given ? ISTHMUS_SYSTEM : ISTHMUS_INVALID_NAME);
  } else {
    /* Room in front for a prefix. Absolute: the process may move to another folder. */
    chars = GetFullPathNameW(given, PATH_CHARS_MAX - 8, whole + 8, NULL);
    if (chars == 0) refuse_last_error(failure, "GetFullPathNameW");
    if (chars >= PATH_CHARS_MAX - 8 || (chars > 0 && has_long_component(whole + 8))) {
      refuse_os_error(failure, "GetFullPathNameW", ERROR_FILENAME_EXCED_RANGE, ISTHMUS_INVALID_NAME);
      chars = 0;
    }
  }
  release(given);
  if (chars == 0) {
    release(whole);
    return NULL;
  }
  wchar_t *from = whole + 8;
  bool drive = chars > 2 && from[1] == L':',
       share = from[0] == L'\\' && from[1] == L'\\' && from[2] != L'?' && from[2] != L'.';
  /* Long paths need it. A share is \\?\UNC\server\… */
  const wchar_t *prefix = chars < 248 ? L"" : drive ? L"\\\\?\\" : share ? L"\\\\?\\UNC" : L"";
  if (*prefix && share) from++;
  wchar_t *to = whole;
  for (; *prefix; prefix++) *to++ = *prefix;
  while ((*to++ = *from++) != 0) {
  }
  return whole;
}

#define OPEN_FLAGS (FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static HANDLE open_path(const wchar_t *path, DWORD access, SECURITY_ATTRIBUTES *security, DWORD how) {
  return CreateFileW(path, access, SHARE_ALL, security, how, OPEN_FLAGS, NULL);
}

typedef struct {
  uint64_t volume;
  uint64_t number[2];
} identity;

static bool identify(HANDLE file, identity *out) {
  FILE_ID_INFO found;
  if (GetFileInformationByHandleEx(file, FileIdInfo, &found, sizeof found)) {
    out->volume = found.VolumeSerialNumber;
    memcpy(out->number, &found.FileId, sizeof out->number);
    return true;
  }
  BY_HANDLE_FILE_INFORMATION older;
  if (!GetFileInformationByHandle(file, &older)) return false;
  out->volume = older.dwVolumeSerialNumber;
  out->number[0] = (uint64_t)older.nFileIndexHigh << 32 | older.nFileIndexLow;
  out->number[1] = 0;
  return true;
}

/* No folder, no link, no device. */
static bool is_plain(HANDLE file) {
  BY_HANDLE_FILE_INFORMATION found;
  if (GetFileType(file) != FILE_TYPE_DISK || !GetFileInformationByHandle(file, &found)) return false;
  return (found.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) == 0;
}

/* Creation is exclusive, so that we know whether the file is ours. */
static int open_or_create(isthmus_object *object, isthmus_options options, isthmus_failure *failure) {
  DWORD access = options.read_only ? GENERIC_READ : GENERIC_READ | GENERIC_WRITE;
  SECURITY_ATTRIBUTES *security = security_for(SECURED_FILE, options.mode);
  if (!security) return refuse_last_error(failure, "ConvertStringSecurityDescriptorToSecurityDescriptorW");
  for (int turn = 0; turn < 1000; turn++) {
    if (options.create) {
      object->file = open_path(object->path, access, security, CREATE_NEW);
      object->created = object->file != INVALID_HANDLE_VALUE;
      if (!object->created && GetLastError() != ERROR_FILE_EXISTS && GetLastError() != ERROR_ALREADY_EXISTS)
        break;
    }
    if (!object->created) object->file = open_path(object->path, access, NULL, OPEN_EXISTING);
    if (object->file != INVALID_HANDLE_VALUE) return ISTHMUS_OK;
    if (GetLastError() != ERROR_FILE_NOT_FOUND || !options.create) break;
  }
  return refuse_last_error(failure, "CreateFileW");
}

static int begin(isthmus_object *object, isthmus_options options, isthmus_failure *failure) {
  identity found;
  char text[72];
  wchar_t name[OBJECT_NAME_CHARS];
  if (open_or_create(object, options, failure) != ISTHMUS_OK) return failure->status;
  if (!is_plain(object->file))
    return refuse_os_error(failure, "CreateFileW", ERROR_ACCESS_DENIED, ISTHMUS_ACCESS_DENIED);
  if (!identify(object->file, &found)) return refuse_last_error(failure, "GetFileInformationByHandle");
  object->mode = object->created ? options.mode : mode_of_file(object->file);
  object->name_space = ISTHMUS_GLOBAL;
  snprintf(text, sizeof text, OBJECT_PREFIX "f%llx-%llx%016llx.", (unsigned long long)found.volume,
           (unsigned long long)found.number[1], (unsigned long long)found.number[0]);
  put_wide(object->prefix, sizeof object->prefix / sizeof object->prefix[0], space_prefix(ISTHMUS_GLOBAL),
           text);
  name_part(object, name, "guard");
  object->guard = make_mutex(name, object->mode);
  return object->guard ? ISTHMUS_OK : refuse_last_error(failure, "CreateMutexExW");
}

int isthmus_open_file(isthmus_environment *environment, const char *path, isthmus_options options,
                      isthmus_object **out, isthmus_failure *failure) {
  wchar_t *wide = widen_path(path, failure);
  if (!wide) return failure->status;
  isthmus_object *object = new_object(environment, IN_FILE, options.read_only, failure);
  if (!object) {
    release(wide);
    return failure->status;
  }
  object->path = wide;
  object->file = INVALID_HANDLE_VALUE;
  if (begin(object, options, failure) == ISTHMUS_OK) {
    *out = object;
    return ISTHMUS_OK;
  }
  isthmus_close(object);
  return failure->status;
}

/* What cannot be looked at may well be it. */
bool is_file_linked(const isthmus_object *object) {
  identity own, named;
  HANDLE there = open_path(object->path, FILE_READ_ATTRIBUTES, NULL, OPEN_EXISTING);
  if (there == INVALID_HANDLE_VALUE) {
    DWORD os_error = GetLastError();
    return os_error != ERROR_FILE_NOT_FOUND && os_error != ERROR_PATH_NOT_FOUND &&
           os_error != ERROR_DELETE_PENDING;
  }
  bool same = identify(object->file, &own) && identify(there, &named) && own.volume == named.volume &&
              own.number[0] == named.number[0] && own.number[1] == named.number[1];
  CloseHandle(there);
  return same;
}

/* Headers have it for newer systems only. */
#define DISPOSITION_INFO_EX ((FILE_INFO_BY_HANDLE_CLASS)21)

/* In one step, as elsewhere: NTFS can, where nobody has the file mapped. */
static bool remove_at_once(const wchar_t *path) {
  FILE_DISPOSITION_INFO_EX how = {FILE_DISPOSITION_FLAG_DELETE | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS};
  HANDLE file = open_path(path, DELETE, NULL, OPEN_EXISTING);
  if (file == INVALID_HANDLE_VALUE) return false;
  bool done = SetFileInformationByHandle(file, DISPOSITION_INFO_EX, &how, sizeof how) != 0;
  CloseHandle(file);
  return done;
}

/*
 * Else the name would stay until the last handle is closed, and keep everybody from making a file there. So the file
 * gets another name first. It stays under that only if it cannot be removed while it is mapped.
 */
static bool remove_aside(const wchar_t *path) {
  char text[32];
  uint64_t random = 0;
  wchar_t *aside = allocate((PATH_CHARS_MAX + 32) * sizeof *aside);
  if (!aside) return false;
  random_bytes(&random, sizeof random);
  snprintf(text, sizeof text, ".%016llx.removed", (unsigned long long)random);
  bool moved = put_wide(aside, PATH_CHARS_MAX + 32, path, text) && MoveFileExW(path, aside, 0);
  if (moved) DeleteFileW(aside);
  release(aside);
  return moved;
}

int remove_file(isthmus_object *object, bool *removed, isthmus_failure *failure) {
  *removed = false;
  if (!is_file_linked(object)) return ISTHMUS_OK;
  *removed = (remove_at_once(object->path) && !is_file_linked(object)) || remove_aside(object->path);
  if (*removed || GetLastError() == ERROR_FILE_NOT_FOUND) return ISTHMUS_OK;
  return refuse_last_error(failure, "MoveFileExW");
}

int file_bytes(const isthmus_object *object, uint64_t *out, isthmus_failure *failure) {
  LARGE_INTEGER bytes;
  if (!GetFileSizeEx(object->file, &bytes)) return refuse_last_error(failure, "GetFileSizeEx");
  *out = (uint64_t)bytes.QuadPart;
  return ISTHMUS_OK;
}

int file_storage(const isthmus_object *object, isthmus_storage *out, isthmus_failure *failure) {
  FILE_STANDARD_INFO found;
  ULARGE_INTEGER mine, total, available;
  *out = (isthmus_storage){0};
  if (!GetFileInformationByHandleEx(object->file, FileStandardInfo, &found, sizeof found))
    return refuse_last_error(failure, "GetFileInformationByHandleEx");
  out->stored_bytes = (uint64_t)found.AllocationSize.QuadPart;
  /* The folder: the system takes no file. */
  wchar_t *folder = allocate(PATH_CHARS_MAX * sizeof *folder);
  size_t end = 0;
  for (size_t i = 0; folder && object->path[i]; i++) {
    folder[i] = object->path[i];
    if (folder[i] == L'\\') end = i + 1;
  }
  if (folder) folder[end] = 0;
  if (folder && GetDiskFreeSpaceExW(folder, &mine, &total, &available)) {
    out->total_bytes = total.QuadPart;
    out->free_bytes = mine.QuadPart;
  }
  release(folder);
  return ISTHMUS_OK;
}

/* NTFS gives a file that is neither sparse nor compressed all the room at once, and says when there is none. */
int set_file_bytes(isthmus_object *object, uint64_t bytes, isthmus_failure *failure) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)bytes};
  if (SetFileInformationByHandle(object->file, FileEndOfFileInfo, &end, sizeof end)) return ISTHMUS_OK;
  return refuse_last_error(failure, "SetFileInformationByHandle");
}

#define READ_BYTES_MAX (1u << 30)

int read_file(isthmus_object *object, uint64_t offset, void *into, uint64_t bytes, uint64_t *copied,
              isthmus_failure *failure) {
  while (*copied < bytes) {
    uint64_t at = offset + *copied, rest = bytes - *copied;
    OVERLAPPED where = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    DWORD got = 0;
    if (!ReadFile(object->file, (char *)into + *copied, rest < READ_BYTES_MAX ? (DWORD)rest : READ_BYTES_MAX,
                  &got, &where)) {
      return GetLastError() == ERROR_HANDLE_EOF ? ISTHMUS_OK : refuse_last_error(failure, "ReadFile");
    }
    if (got == 0) return ISTHMUS_OK;
    *copied += got;
  }
  return ISTHMUS_OK;
}

void isthmus_touch(isthmus_object *object) {
  FILETIME now;
  if (object->kind != IN_FILE || object->read_only) return;
  GetSystemTimeAsFileTime(&now);
  SetFileTime(object->file, NULL, NULL, &now);
}

int isthmus_flush(isthmus_object *object, isthmus_failure *failure) {
  if (!object->address || object->map_read_only || object->kind != IN_FILE) return ISTHMUS_OK;
  if (!FlushViewOfFile(object->address, object->mapped_bytes))
    return refuse_last_error(failure, "FlushViewOfFile");
  if (!FlushFileBuffers(object->file)) return refuse_last_error(failure, "FlushFileBuffers");
  isthmus_touch(object);
  return ISTHMUS_OK;
}
