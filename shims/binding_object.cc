/* Objects: opening, describing, locking, mapping; each the function of its name in ts/host/native.ts. */
#include "binding_state.h"

/* ---- opening ------------------------------------------------------------------------------------------- */

static isthmus_options options(const argument *from) {
  return {from[0].flag(), from[1].flag(), from[2].index()};
}

int open_named(call &of) {
  return give_object(of, isthmus_open_named(of.state->environment, of.state->text, of.arguments[1].index(),
                                            options(of.arguments + 2), &of.object, &of.failure));
}

int open_file(call &of) {
  return give_object(of, isthmus_open_file(of.state->environment, of.state->text, options(of.arguments + 1),
                                           &of.object, &of.failure));
}

int open_anonymous(call &of) {
  return give_object(of, isthmus_open_anonymous(of.state->environment, &of.object, &of.failure));
}

int open_handle(call &of) {
  return give_object(of, isthmus_open_handle(of.state->environment, of.state->text, of.arguments[1].flag(),
                                             &of.object, &of.failure));
}

int open_staged(call &of) {
  return give_object(of, isthmus_open_staged(of.state->environment, of.state->text, of.arguments[1].index(),
                                             of.arguments[2].index(), &of.object, &of.failure));
}

int publish(call &of) { return isthmus_publish(of.object, of.arguments[1].flag(), &of.failure); }

int handle(call &of) {
  char text[ISTHMUS_HANDLE_BYTES];
  int status = isthmus_handle(of.object, text, &of.failure);
  return status == ISTHMUS_OK ? give_text(of, text) : status;
}

int close_object(call &of) {
  drop_object(of);
  return ISTHMUS_OK;
}

/* ---- the object ---------------------------------------------------------------------------------------- */

#define COUNT(array) (sizeof array / sizeof array[0])

static const field INFO[] = {
    {"bytes", UINT64, offsetof(isthmus_info, bytes)},   {"linked", FLAG, offsetof(isthmus_info, linked)},
    {"trusted", FLAG, offsetof(isthmus_info, trusted)}, {"created", FLAG, offsetof(isthmus_info, created)},
    {"owner", UINT32, offsetof(isthmus_info, owner)},   {"mode", UINT32, offsetof(isthmus_info, mode)},
};

static const field STORAGE[] = {
    {"storedBytes", UINT64, offsetof(isthmus_storage, stored_bytes)},
    {"totalBytes", UINT64, offsetof(isthmus_storage, total_bytes)},
    {"freeBytes", UINT64, offsetof(isthmus_storage, free_bytes)},
    {"totalFiles", UINT64, offsetof(isthmus_storage, total_files)},
    {"freeFiles", UINT64, offsetof(isthmus_storage, free_files)},
    {"inMemory", FLAG, offsetof(isthmus_storage, in_memory)},
    {"layered", FLAG, offsetof(isthmus_storage, layered)},
    {"readOnly", FLAG, offsetof(isthmus_storage, read_only)},
};

static const field LIMITS[] = {
    {"place", TEXT, offsetof(isthmus_limits, place)},
    {"wordsPerWatcher", UINT32, offsetof(isthmus_limits, words_per_watcher)},
};

int info(call &of) {
  isthmus_info found;
  int status = isthmus_object_info(of.object, &found, &of.failure);
  return status == ISTHMUS_OK ? give_fields(of, INFO, COUNT(INFO), &found) : status;
}

int storage(call &of) {
  isthmus_storage found;
  int status = isthmus_object_storage(of.object, &found, &of.failure);
  return status == ISTHMUS_OK ? give_fields(of, STORAGE, COUNT(STORAGE), &found) : status;
}

int limits(call &of) {
  isthmus_limits found;
  isthmus_system_limits(&found);
  give_fields(of, STORAGE, COUNT(STORAGE), &found.storage);
  return give_fields(of, LIMITS, COUNT(LIMITS), &found);
}

int allocate(call &of) {
  uint64_t bytes = of.arguments[1].integer;
  if (bytes == 0) return refuse_range(of, "bytes", "more than 0");
  return isthmus_allocate(of.object, bytes, &of.failure);
}

int shrink(call &of) { return isthmus_shrink(of.object, of.arguments[1].integer, &of.failure); }

int read_object(call &of) {
  uint64_t copied;
  int status = isthmus_read(of.object, of.arguments[1].integer, of.view, of.view_bytes, &copied, &of.failure);
  return status == ISTHMUS_OK ? give_number(of, static_cast<double>(copied)) : status;
}

int remove_object(call &of) {
  bool removed;
  int status = isthmus_remove(of.object, &removed, &of.failure);
  return status == ISTHMUS_OK ? give_boolean(of, removed) : status;
}

/* ---- locks --------------------------------------------------------------------------------------------- */

int lock(call &of) {
  bool taken;
  int status = isthmus_lock(of.object, of.arguments[1].index(), of.arguments[2].flag(), &taken, &of.failure);
  return status == ISTHMUS_OK ? give_boolean(of, taken) : status;
}

int unlock(call &of) { return isthmus_unlock(of.object, of.arguments[1].index(), &of.failure); }

int held(call &of) {
  bool found;
  int status = isthmus_held(of.object, of.arguments[1].index(), of.arguments[2].flag(), &found, &of.failure);
  return status == ISTHMUS_OK ? give_boolean(of, found) : status;
}

/* ---- mapping ------------------------------------------------------------------------------------------- */

/* What a function gives when it is called now. */
static int make_memory(call &of, napi_value *memory) {
  napi_value receiver, make = *memory;
  if (napi_get_undefined(of.env, &receiver) != napi_ok) return THROWN;
  if (napi_call_function(of.env, receiver, make, 0, nullptr, memory) != napi_ok) return THROWN;
  /* It may have closed the object, or opened others. */
  of.slot = slot_of(of.state, of.arguments[0].number);
  if (!of.slot || of.slot->object != of.object)
    return refuse_type(of, "object", "open after the memory was made");
  const char *expected = take_view(of, *memory);
  return expected ? refuse_type(of, "memory", expected) : ISTHMUS_OK;
}

static int map_memory(call &of) {
  napi_value memory = of.arguments[1].given;
  napi_valuetype type = napi_undefined;
  napi_ref view;
  napi_typeof(of.env, memory, &type);
  int status = type == napi_function ? make_memory(of, &memory) : ISTHMUS_OK;
  if (status != ISTHMUS_OK) return status;
  if (napi_create_reference(of.env, memory, 1, &view) != napi_ok) return THROWN;
  status = isthmus_map(of.object, of.view, of.view_bytes, of.arguments[2].flag(), &of.failure);
  /* Of a memory that is lost the reference stays for ever: see isthmus_map. */
  bool lost = status == ISTHMUS_BUSY && of.failure.call[0] != 0;
  if (status == ISTHMUS_OK)
    of.slot->view = view;
  else if (!lost)
    napi_delete_reference(of.env, view);
  return status;
}

int map(call &of) {
  isthmus_begin_mapping();
  int status = map_memory(of);
  isthmus_end_mapping();
  return status;
}

int unmap(call &of) {
  int status = isthmus_unmap(of.object, &of.failure);
  if (status == ISTHMUS_OK) drop_view(of);
  return status;
}

int flush(call &of) { return isthmus_flush(of.object, &of.failure); }

int touch(call &of) {
  isthmus_touch(of.object);
  return ISTHMUS_OK;
}

/* ---- names --------------------------------------------------------------------------------------------- */

static void add_name(void *context, const char *name) {
  call &of = *static_cast<call *>(context);
  napi_value value;
  uint32_t length;
  if (napi_create_string_utf8(of.env, name, NAPI_AUTO_LENGTH, &value) != napi_ok) return;
  if (napi_get_array_length(of.env, of.result, &length) != napi_ok) return;
  napi_set_element(of.env, of.result, length, value);
}

int list(call &of) {
  if (napi_create_array(of.env, &of.result) != napi_ok) return THROWN;
  return isthmus_list(of.arguments[0].index(), add_name, &of, &of.failure);
}

int unlink_name(call &of) { return isthmus_unlink(of.state->text, of.arguments[1].index(), &of.failure); }
