/*
 * Loading. The functions of Node-API are looked up in the program that loads us, when it does: an import of node.exe
 * would fail in bun.exe, deno.exe, and in a node.exe that was renamed. The binding calls each through a pointer that
 * the linker knows as __imp_<name>, which for an imported function the loader of the system would fill in.
 *
 *   1. DllMain fills in the pointers; if one is missing, the library is refused
 *   2. it pins the library: threads of the pool may be on their way through it when the runtime unloads it
 *
 * Placeholders are looked up when the first object is mapped, and tried: some systems have the functions and refuse
 * the flags.
 */
#include "windows.h"

#define NODE_API(F)                  \
  F(napi_add_env_cleanup_hook)       \
  F(napi_call_function)              \
  F(napi_call_threadsafe_function)   \
  F(napi_create_array)               \
  F(napi_create_double)              \
  F(napi_create_error)               \
  F(napi_create_function)            \
  F(napi_create_object)              \
  F(napi_create_reference)           \
  F(napi_create_string_utf8)         \
  F(napi_create_threadsafe_function) \
  F(napi_delete_reference)           \
  F(napi_get_array_length)           \
  F(napi_get_boolean)                \
  F(napi_get_cb_info)                \
  F(napi_get_typedarray_info)        \
  F(napi_get_undefined)              \
  F(napi_get_value_bool)             \
  F(napi_get_value_double)           \
  F(napi_get_value_int64)            \
  F(napi_get_value_string_utf8)      \
  F(napi_remove_env_cleanup_hook)    \
  F(napi_set_element)                \
  F(napi_set_instance_data)          \
  F(napi_set_named_property)         \
  F(napi_throw)                      \
  F(napi_throw_range_error)          \
  F(napi_throw_type_error)           \
  F(napi_typeof)                     \
  F(napi_unref_threadsafe_function)

#define POINTER(name) FARPROC __imp_##name;
NODE_API(POINTER)

#define ROW(name) {#name, &__imp_##name},
static const struct {
  char name[32];
  FARPROC *pointer;
} rows[] = {NODE_API(ROW)};

/* Some programs have the engine in a library of their own. */
static const wchar_t *const hosts[] = {NULL, L"node.dll", L"libnode.dll"};

static FARPROC find(const char *name) {
  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    HMODULE module = GetModuleHandleW(hosts[i]);
    FARPROC found = module ? GetProcAddress(module, name) : NULL;
    if (found) return found;
  }
  return NULL;
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void *reserved) {
  (void)reserved;
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    *rows[i].pointer = find(rows[i].name);
    if (!*rows[i].pointer) return FALSE;
  }
  DisableThreadLibraryCalls(self);
  HMODULE pinned;
  DWORD how = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  GetModuleHandleExW(how, (const wchar_t *)self, &pinned);
  return TRUE;
}

/* A placeholder as large as the least that can be reserved, made and given back. */
static bool try_placeholder(const placeholder_calls *calls) {
  void *made = calls->allocate(GetCurrentProcess(), NULL, 65536, MEM_RESERVE | MEM_RESERVE_PLACEHOLDER,
                               PAGE_NOACCESS, NULL, 0);
  return made && VirtualFree(made, 0, MEM_RELEASE);
}

static FARPROC find_late(const char *name) {
  HMODULE module = GetModuleHandleW(L"kernelbase.dll");
  return module ? GetProcAddress(module, name) : NULL;
}

bool placeholders(placeholder_calls *out) {
  out->allocate = (virtual_alloc_2)(void *)find_late("VirtualAlloc2");
  out->map = (map_view_of_file_3)(void *)find_late("MapViewOfFile3");
  out->unmap = (unmap_view_of_file_2)(void *)find_late("UnmapViewOfFile2");
  if (!out->allocate || !out->map || !out->unmap) {
    SetLastError(ERROR_PROC_NOT_FOUND);
    return false;
  }
  return try_placeholder(out);
}
