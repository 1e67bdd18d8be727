/* Texts without a C runtime. */
#include <stdarg.h>

#include "windows.h"

typedef struct {
  char *at;
  size_t room; /* with the NUL */
  int length;  /* also of what does not fit */
} writer;

static void put(writer *to, char one) {
  if (to->room > 1) {
    *to->at++ = one;
    to->room--;
  }
  to->length++;
}

static void put_number(writer *to, uint64_t value, unsigned base, int width) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  for (int i = count; i < width; i++) put(to, '0');
  while (count > 0) put(to, digits[--count]);
}

static void put_string(writer *to, const char *text) {
  for (; *text; text++) put(to, *text);
}

static void put_signed(writer *to, int value) {
  if (value < 0) put(to, '-');
  put_number(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, 0);
}

int snprintf(char *into, size_t bytes, const char *format, ...) {
  va_list given;
  va_start(given, format);
  writer to = {into, bytes, 0};
  for (; *format; format++) {
    if (*format != '%') {
      put(&to, *format);
      continue;
    }
    int width = 0, longs = 0;
    for (format++; *format == '.' || (*format >= '0' && *format <= '9'); format++)
      if (*format != '.') width = width * 10 + (*format - '0');
    for (; *format == 'l'; format++) longs++;
    if (*format == '%')
      put(&to, '%');
    else if (*format == 's')
      put_string(&to, va_arg(given, const char *));
    else if (*format == 'd')
      put_signed(&to, va_arg(given, int));
    else if (*format == 'f') /* %.0f of whole numbers, which all fit */
      put_number(&to, (uint64_t)va_arg(given, double), 10, 0);
    else
      put_number(&to, longs == 2 ? va_arg(given, uint64_t) : va_arg(given, unsigned),
                 *format == 'u' ? 10 : 16, width);
  }
  va_end(given);
  if (bytes > 0) *to.at = 0;
  return to.length;
}

bool put_wide(wchar_t *into, size_t chars, const wchar_t *prefix, const char *text) {
  size_t at = 0;
  for (; *prefix && at < chars; prefix++) into[at++] = *prefix;
  for (; *text && at < chars; text++) into[at++] = (unsigned char)*text;
  if (at >= chars) at = chars - 1;
  into[at] = 0;
  return *prefix == 0 && *text == 0;
}

wchar_t *widen(const char *text) {
  int chars = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  if (chars <= 0) return NULL;
  wchar_t *wide = allocate((size_t)chars * sizeof *wide);
  if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, chars);
  return wide;
}

bool is_same_text(const char *one, const char *other) {
  for (; *one && *one == *other; one++) other++;
  return *one == *other;
}
