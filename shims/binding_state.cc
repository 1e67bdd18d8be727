/* The numbers of objects, and what JavaScript gets back: results and errors. */
#include "binding_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* A number is serial × SLOTS_MAX + slot, so that it leads to its slot. */
static constexpr double SLOTS_MAX = 65536;
static constexpr double SAFE_INTEGER_MAX = 9007199254740991.0;
static uint64_t last_serial;

object_slot *slot_of(const binding_state *state, double number) {
  if (!(number >= SLOTS_MAX && number <= SAFE_INTEGER_MAX)) return nullptr;
  uint64_t slot = static_cast<uint64_t>(number) % static_cast<uint64_t>(SLOTS_MAX);
  return slot < state->slot_count && state->slots[slot].number == number ? &state->slots[slot] : nullptr;
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

int give_object(call &of, int status) {
  if (status != ISTHMUS_OK) return status;
  object_slot *slot = free_slot(of.state);
  if (!slot) {
    isthmus_close(of.object);
    of.failure = {ISTHMUS_SYSTEM, 0, "malloc"};
    return ISTHMUS_SYSTEM;
  }
  uint64_t serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
  slot->number = static_cast<double>(serial) * SLOTS_MAX + static_cast<double>(slot - of.state->slots);
  slot->object = of.object;
  slot->view = nullptr;
  return give_number(of, slot->number);
}

void drop_view(const call &of) {
  if (of.slot->view) napi_delete_reference(of.env, of.slot->view);
  of.slot->view = nullptr;
}

void drop_object(const call &of) {
  isthmus_close(of.object);
  drop_view(of);
  of.slot->object = nullptr;
  of.slot->number = 0;
}

/* ---- results ------------------------------------------------------------------------------------------- */

int give_number(call &of, double value) {
  napi_create_double(of.env, value, &of.result);
  return ISTHMUS_OK;
}

int give_boolean(call &of, bool value) {
  napi_get_boolean(of.env, value, &of.result);
  return ISTHMUS_OK;
}

static napi_value text_value(napi_env env, const char *value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

int give_text(call &of, const char *value) {
  of.result = text_value(of.env, value);
  return ISTHMUS_OK;
}

int give_fields(call &of, const field *fields, size_t count, const void *from) {
  napi_value object = of.result;
  if (!object && napi_create_object(of.env, &object) != napi_ok) return ISTHMUS_OK;
  for (size_t i = 0; i < count; i++) {
    const char *at = static_cast<const char *>(from) + fields[i].offset;
    of.result = nullptr;
    switch (fields[i].kind) {
      case FLAG:
        give_boolean(of, *reinterpret_cast<const bool *>(at));
        break;
      case UINT32:
        give_number(of, *reinterpret_cast<const uint32_t *>(at));
        break;
      case UINT64:
        give_number(of, static_cast<double>(*reinterpret_cast<const uint64_t *>(at)));
        break;
      case TEXT:
        give_text(of, *reinterpret_cast<const char *const *>(at));
        break;
    }
    if (of.result) napi_set_named_property(of.env, object, fields[i].name, of.result);
  }
  of.result = object;
  return ISTHMUS_OK;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

static const field FAILURE_FIELDS[] = {
    {"status", UINT32, offsetof(isthmus_failure, status)},
    {"errno", UINT32, offsetof(isthmus_failure, os_error)},
    {"syscall", TEXT, offsetof(isthmus_failure, call)},
};

void throw_failure(call &of) {
  char text[120];
  napi_value message, error;
  if (of.failure.call[0] == 0)
    snprintf(text, sizeof text, "isthmus shim: refused with status %d", of.failure.status);
  else
    snprintf(text, sizeof text, "isthmus shim: %s failed with errno %d", of.failure.call,
             of.failure.os_error);
  message = text_value(of.env, text);
  if (!message || napi_create_error(of.env, nullptr, message, &error) != napi_ok) return;
  of.result = error;
  give_fields(of, FAILURE_FIELDS, sizeof FAILURE_FIELDS / sizeof FAILURE_FIELDS[0], &of.failure);
  napi_throw(of.env, error);
  of.result = nullptr;
}
