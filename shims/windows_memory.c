/*
 * Memory from the heap of the process. The first functions are those of C that the binding and the compiler call: the
 * shim is linked without a C runtime, of which a process may have several, or none.
 */
#include "windows.h"

/* They must not become calls of themselves. */
#define AS_WRITTEN __attribute__((no_builtin))

AS_WRITTEN void *memcpy(void *restrict into, const void *restrict from, size_t bytes) {
  unsigned char *to = into;
  const unsigned char *at = from;
  /* One instruction copies fast on x64; words do elsewhere. */
#if defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(at), "+c"(bytes) : : "memory");
#else
  for (; bytes >= 8 && ((uintptr_t)to | (uintptr_t)at) % 8 == 0; to += 8, at += 8, bytes -= 8)
    *(volatile uint64_t *)to = *(const uint64_t *)at;
  while (bytes-- > 0) *(volatile unsigned char *)to++ = *at++;
#endif
  return into;
}

AS_WRITTEN void *memmove(void *into, const void *from, size_t bytes) {
  unsigned char *to = into;
  const unsigned char *at = from;
  if (to <= at || to >= at + bytes) return memcpy(into, from, bytes);
  while (bytes-- > 0) ((volatile unsigned char *)to)[bytes] = at[bytes];
  return into;
}

AS_WRITTEN void *memset(void *into, int value, size_t bytes) {
  volatile unsigned char *to = into;
  while (bytes-- > 0) *to++ = (unsigned char)value;
  return into;
}

AS_WRITTEN size_t strlen(const char *text) {
  const volatile char *at = text;
  while (*at) at++;
  return (size_t)(at - text);
}

void *calloc(size_t count, size_t bytes) {
  return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, count * bytes);
}

void *realloc(void *memory, size_t bytes) {
  return memory ? HeapReAlloc(GetProcessHeap(), 0, memory, bytes) : HeapAlloc(GetProcessHeap(), 0, bytes);
}

void free(void *memory) {
  if (memory) HeapFree(GetProcessHeap(), 0, memory);
}

void *allocate(size_t bytes) { return calloc(1, bytes); }

void release(void *memory) { free(memory); }

bool make_room(void **list, uint32_t count, uint32_t *room, size_t bytes_each) {
  if (count < *room) return true;
  uint32_t wanted = *room == 0 ? 4 : *room * 2;
  void *grown = realloc(*list, wanted * bytes_each);
  if (!grown) return false;
  *list = grown;
  *room = wanted;
  return true;
}
