/*
 * Who gets access. A mode becomes an access list: this user, the system and the administrators may do everything,
 * others what the bits for others say. Others need the guards and events as soon as they may read, because a reader
 * takes shared locks; they may wait on them and set them, and not change their access.
 *
 * The owner is the user itself, also of an administrator, whose objects would else belong to the group.
 */
#include <aclapi.h>
#include <sddl.h>

#include "windows.h"

#define TOKEN_ROOM 256
#define SID_CHARS 200
#define DESCRIPTOR_ROOM 4096

static SECURITY_ATTRIBUTES made[SECURED_KINDS][3];
static SRWLOCK making = SRWLOCK_INIT;

/* The SID of this user, in `room`; NULL with a last error. */
static PSID user_of_process(void *room, TOKEN_INFORMATION_CLASS what) {
  HANDLE token;
  DWORD bytes;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return NULL;
  BOOL known = GetTokenInformation(token, what, room, TOKEN_ROOM, &bytes);
  CloseHandle(token);
  return known ? *(PSID *)room : NULL;
}

/* 0: others may nothing, 1: read, 2: write as well */
static int others_in(uint32_t mode) { return (mode & 2) != 0 ? 2 : (mode & 7) != 0 ? 1 : 0; }

/* The rights of others in SDDL. To take a name away, or give it to another object, is not theirs. */
static const char *rights_of_others(secured kind, int others) {
  if (kind == SECURED_SIGNAL) return "0x120003";
  if (kind == SECURED_FILE) return others == 2 ? "FRFW" : "FR";
  return kind == SECURED_BYTES && others == 2 ? "GRGW" : "GR";
}

static bool make(SECURITY_ATTRIBUTES *out, secured kind, int others) {
  wchar_t *user;
  _Alignas(8) char token[TOKEN_ROOM];
  char narrow[SID_CHARS], text[SID_CHARS * 2 + 80];
  wchar_t wide[sizeof text];
  PSID sid = user_of_process(token, TokenUser);
  if (!sid || !ConvertSidToStringSidW(sid, &user)) return false;
  size_t length = 0;
  for (; user[length] && length + 1 < sizeof narrow; length++) narrow[length] = (char)user[length];
  narrow[length] = 0;
  LocalFree(user);
  int end = snprintf(text, sizeof text, "O:%sD:P(A;;GA;;;%s)(A;;GA;;;SY)(A;;GA;;;BA)", narrow, narrow);
  if (others > 0)
    snprintf(text + end, sizeof text - (size_t)end, "(A;;%s;;;WD)", rights_of_others(kind, others));
  put_wide(wide, sizeof wide / sizeof wide[0], L"", text);
  out->nLength = sizeof *out;
  return ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1,
                                                              &out->lpSecurityDescriptor, NULL);
}

SECURITY_ATTRIBUTES *security_for(secured kind, uint32_t mode) {
  int others = others_in(mode);
  SECURITY_ATTRIBUTES *found = &made[kind][others];
  AcquireSRWLockExclusive(&making);
  bool known = found->lpSecurityDescriptor != NULL || make(found, kind, others);
  ReleaseSRWLockExclusive(&making);
  return known ? found : NULL;
}

static bool is_well_known(PSID sid, WELL_KNOWN_SID_TYPE which) { return IsWellKnownSid(sid, which) != 0; }

bool is_trusted(HANDLE object) {
  _Alignas(8) char descriptor[1024], token[TOKEN_ROOM];
  DWORD bytes;
  PSID owner;
  BOOL defaulted;
  if (!GetKernelObjectSecurity(object, OWNER_SECURITY_INFORMATION, descriptor, sizeof descriptor, &bytes))
    return false;
  if (!GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) || !owner) return false;
  if (is_well_known(owner, WinLocalSystemSid) || is_well_known(owner, WinBuiltinAdministratorsSid))
    return true;
  PSID user = user_of_process(token, TokenUser);
  return user && EqualSid(user, owner);
}

static bool is_others(PSID sid) {
  return is_well_known(sid, WinWorldSid) || is_well_known(sid, WinAuthenticatedUserSid) ||
         is_well_known(sid, WinBuiltinUsersSid);
}

uint32_t mode_of_file(HANDLE file) {
  uint32_t mode = 0600;
  DWORD bytes;
  BOOL present, defaulted;
  PACL list;
  void *descriptor = allocate(DESCRIPTOR_ROOM);
  if (!descriptor) return mode;
  if (GetKernelObjectSecurity(file, DACL_SECURITY_INFORMATION, descriptor, DESCRIPTOR_ROOM, &bytes) &&
      GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted)) {
    if (!present || !list) mode = 0666; /* no list: everybody may do everything */
    for (DWORD i = 0; present && list && i < list->AceCount; i++) {
      ACCESS_ALLOWED_ACE *entry;
      if (!GetAce(list, i, (void **)&entry) || entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE) continue;
      if ((entry->Header.AceFlags & INHERIT_ONLY_ACE) != 0 || !is_others(&entry->SidStart)) continue;
      if ((entry->Mask & (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL)) != 0) mode |= 0044;
      if ((entry->Mask & (FILE_WRITE_DATA | GENERIC_WRITE | GENERIC_ALL)) != 0) mode |= 0022;
    }
  }
  release(descriptor);
  return mode;
}

static bool has_privilege(const wchar_t *name) {
  HANDLE token;
  BOOL held = FALSE;
  PRIVILEGE_SET wanted = {.PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY};
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return false;
  if (LookupPrivilegeValueW(NULL, name, &wanted.Privilege[0].Luid)) PrivilegeCheck(token, &wanted, &held);
  CloseHandle(token);
  return held;
}

int refuse_section(isthmus_failure *failure, const char *call, uint32_t name_space) {
  DWORD os_error = GetLastError();
  DWORD session = 0;
  if (os_error == ERROR_ACCESS_DENIED && name_space == ISTHMUS_GLOBAL) {
    /* Outside of session 0 that is the reason, unless somebody else has the name. */
    if (ProcessIdToSessionId(GetCurrentProcessId(), &session) && session != 0 &&
        !has_privilege(L"SeCreateGlobalPrivilege"))
      os_error = ERROR_PRIVILEGE_NOT_HELD;
  }
  SetLastError(os_error);
  return refuse_last_error(failure, call);
}
