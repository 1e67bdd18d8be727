#include "binding_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number is serial × SLOTS_MAX + slot, so that it leads to its slot. */
static constexpr double SLOTS_MAX = 65536;
static constexpr double SAFE_INTEGER_MAX = 9007199254740991.0;
static uint64_t last_serial;

call begin_call(napi_env env, napi_callback_info info) {
  call of;
  size_t count = ARGUMENTS_MAX;
  void *data = nullptr;
  napi_get_cb_info(env, info, &count, of.arguments, nullptr, &data);
  of.env = env;
  of.state = static_cast<binding_state *>(data);
  return of;
}

void throw_type_error(napi_env env, const char *name, const char *expected) {
  char text[200];
  snprintf(text, sizeof text, "isthmus shim: %s must be %s", name, expected);
  napi_throw_type_error(env, nullptr, text);
}

void throw_range_error(napi_env env, const char *name, const char *expected) {
  char text[200];
  snprintf(text, sizeof text, "isthmus shim: %s must be %s", name, expected);
  napi_throw_range_error(env, nullptr, text);
}

static void set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_value value;
  if (napi_create_double(env, number, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

napi_value throw_failure(napi_env env, const isthmus_failure &failure) {
  char text[200];
  if (failure.call[0] == 0)
    snprintf(text, sizeof text, "isthmus shim: refused with status %d", failure.status);
  else
    snprintf(text, sizeof text, "isthmus shim: %s failed with errno %d", failure.call, failure.os_error);
  napi_value message, error, call_name;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok) return nullptr;
  if (napi_create_error(env, nullptr, message, &error) != napi_ok) return nullptr;
  set_number(env, error, "status", failure.status);
  set_number(env, error, "errno", failure.os_error);
  if (napi_create_string_utf8(env, failure.call, NAPI_AUTO_LENGTH, &call_name) == napi_ok) {
    napi_set_named_property(env, error, "syscall", call_name);
  }
  napi_throw(env, error);
  return nullptr;
}

bool take_object(const call &of, size_t index, object_slot **out) {
  double number = 0;
  if (napi_get_value_double(of.env, of.arguments[index], &number) == napi_ok && number >= SLOTS_MAX &&
      number <= SAFE_INTEGER_MAX) {
    uint64_t slot = static_cast<uint64_t>(number) % static_cast<uint64_t>(SLOTS_MAX);
    if (slot < of.state->slot_count && of.state->slots[slot].number == number) {
      *out = &of.state->slots[slot];
      return true;
    }
  }
  throw_type_error(of.env, "object", "the number of an open object of this thread");
  return false;
}

bool take_mapped(const call &of, size_t index, object_slot **out) {
  if (!take_object(of, index, out)) return false;
  if (isthmus_mapped_bytes((*out)->object) > 0) return true;
  throw_type_error(of.env, "object", "mapped");
  return false;
}

bool take_boolean(const call &of, size_t index, const char *name, bool *out) {
  if (napi_get_value_bool(of.env, of.arguments[index], out) == napi_ok) return true;
  throw_type_error(of.env, name, "a boolean");
  return false;
}

bool take_integer(const call &of, size_t index, const char *name, double most, uint64_t *out) {
  double number = 0;
  if (napi_get_value_double(of.env, of.arguments[index], &number) != napi_ok) {
    throw_type_error(of.env, name, "a number");
    return false;
  }
  if (number >= 0 && number <= most) {
    *out = static_cast<uint64_t>(number);
    if (static_cast<double>(*out) == number) return true;
  }
  char expected[80];
  snprintf(expected, sizeof expected, "an integer from 0 to %.0f", most);
  throw_range_error(of.env, name, expected);
  return false;
}

bool take_word_offset(const call &of, size_t index, const object_slot *slot, uint64_t *out) {
  if (!take_integer(of, index, "offset", SAFE_INTEGER_MAX, out)) return false;
  if (*out % 4 == 0 && *out < isthmus_mapped_bytes(slot->object)) return true;
  throw_range_error(of.env, "offset", "a multiple of 4 inside the mapping");
  return false;
}

bool take_text(const call &of, size_t index, const char *name, const char **out) {
  char *text = of.state->text;
  size_t length = 0;
  if (napi_get_value_string_utf8(of.env, of.arguments[index], nullptr, 0, &length) != napi_ok) {
    throw_type_error(of.env, name, "a string");
    return false;
  }
  *out = text;
  if (length < TEXT_BYTES &&
      napi_get_value_string_utf8(of.env, of.arguments[index], text, TEXT_BYTES, &length) == napi_ok &&
      strlen(text) == length) {
    return true;
  }
  throw_range_error(of.env, name, "shorter and without NUL");
  return false;
}

bool take_namespace(const call &of, size_t index, uint64_t *out) {
  return take_integer(of, index, "namespace", ISTHMUS_GLOBAL, out);
}

static object_slot *free_slot(binding_state *state) {
  for (uint32_t i = 0; i < state->slot_count; i++) {
    if (state->slots[i].number == 0) return &state->slots[i];
  }
  uint32_t count = state->slot_count == 0 ? 16 : state->slot_count * 2;
  if (count > SLOTS_MAX) return nullptr;
  void *grown = realloc(state->slots, count * sizeof(object_slot));
  if (!grown) return nullptr;
  state->slots = static_cast<object_slot *>(grown);
  memset(state->slots + state->slot_count, 0, (count - state->slot_count) * sizeof(object_slot));
  object_slot *slot = &state->slots[state->slot_count];
  state->slot_count = count;
  return slot;
}

napi_value add_object(const call &of, isthmus_object *object) {
  object_slot *slot = free_slot(of.state);
  napi_value result = nullptr;
  if (!slot) {
    isthmus_close(object);
    return throw_failure(of.env, isthmus_failure{ISTHMUS_SYSTEM, 0, "malloc"});
  }
  uint64_t serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
  slot->number = static_cast<double>(serial) * SLOTS_MAX + static_cast<double>(slot - of.state->slots);
  slot->object = object;
  slot->view = nullptr;
  napi_create_double(of.env, slot->number, &result);
  return result;
}

void drop_view(const call &of, object_slot *slot) {
  if (slot->view) napi_delete_reference(of.env, slot->view);
  slot->view = nullptr;
}

void drop_object(const call &of, object_slot *slot) {
  isthmus_close(slot->object);
  drop_view(of, slot);
  slot->object = nullptr;
  slot->number = 0;
}
