/* Objects: opening, describing, locking, mapping; each the function of its name in ts/host/native.ts. */
#include "binding_state.h"

constexpr double MODE_MAX = 0777;
constexpr double BYTES_MAX = 9007199254740991.0;

/* ---- opening */

static bool take_options(const call &of, size_t from, isthmus_options *out) {
  uint64_t mode;
  if (!take_boolean(of, from, "create", &out->create)) return false;
  if (!take_boolean(of, from + 1, "readOnly", &out->read_only)) return false;
  if (!take_integer(of, from + 2, "mode", MODE_MAX, &mode)) return false;
  out->mode = static_cast<uint32_t>(mode);
  return true;
}

napi_value open_named(const call &of) {
  const char *name;
  uint64_t name_space;
  isthmus_options options;
  isthmus_object *object;
  isthmus_failure failure;
  if (!take_text(of, 0, "name", &name)) return nullptr;
  if (!take_namespace(of, 1, &name_space)) return nullptr;
  if (!take_options(of, 2, &options)) return nullptr;
  int status = isthmus_open_named(of.state->environment, name, static_cast<uint32_t>(name_space), options,
                                  &object, &failure);
  return status == ISTHMUS_OK ? add_object(of, object) : throw_failure(of.env, failure);
}

napi_value open_file(const call &of) {
  const char *path;
  isthmus_options options;
  isthmus_object *object;
  isthmus_failure failure;
  if (!take_text(of, 0, "path", &path) || !take_options(of, 1, &options)) return nullptr;
  int status = isthmus_open_file(of.state->environment, path, options, &object, &failure);
  return status == ISTHMUS_OK ? add_object(of, object) : throw_failure(of.env, failure);
}

napi_value open_anonymous(const call &of) {
  isthmus_object *object;
  isthmus_failure failure;
  int status = isthmus_open_anonymous(of.state->environment, &object, &failure);
  return status == ISTHMUS_OK ? add_object(of, object) : throw_failure(of.env, failure);
}

napi_value open_handle(const call &of) {
  const char *text;
  bool read_only;
  isthmus_object *object;
  isthmus_failure failure;
  if (!take_text(of, 0, "handle", &text)) return nullptr;
  if (!take_boolean(of, 1, "readOnly", &read_only)) return nullptr;
  int status = isthmus_open_handle(of.state->environment, text, read_only, &object, &failure);
  return status == ISTHMUS_OK ? add_object(of, object) : throw_failure(of.env, failure);
}

napi_value open_staged(const call &of) {
  const char *name;
  uint64_t name_space, mode;
  isthmus_object *object;
  isthmus_failure failure;
  if (!take_text(of, 0, "name", &name)) return nullptr;
  if (!take_namespace(of, 1, &name_space)) return nullptr;
  if (!take_integer(of, 2, "mode", MODE_MAX, &mode)) return nullptr;
  int status = isthmus_open_staged(of.state->environment, name, static_cast<uint32_t>(name_space),
                                   static_cast<uint32_t>(mode), &object, &failure);
  return status == ISTHMUS_OK ? add_object(of, object) : throw_failure(of.env, failure);
}

napi_value publish(const call &of) {
  object_slot *slot;
  bool replace;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot) || !take_boolean(of, 1, "replace", &replace)) return nullptr;
  if (isthmus_publish(slot->object, replace, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  return nullptr;
}

napi_value handle(const call &of) {
  object_slot *slot;
  isthmus_failure failure;
  char text[ISTHMUS_HANDLE_BYTES];
  if (!take_object(of, 0, &slot)) return nullptr;
  if (isthmus_handle(slot->object, text, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  return Napi::String::New(of.env, text);
}

napi_value close_object(const call &of) {
  object_slot *slot;
  if (take_object(of, 0, &slot)) drop_object(of, slot);
  return nullptr;
}

/* ---- the object */

static void set(Napi::Object &object, const char *name, double number) {
  object.Set(name, Napi::Number::New(object.Env(), number));
}

napi_value info(const call &of) {
  object_slot *slot;
  isthmus_info found;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot)) return nullptr;
  if (isthmus_object_info(slot->object, &found, &failure) != ISTHMUS_OK)
    return throw_failure(of.env, failure);
  Napi::Object result = Napi::Object::New(of.env);
  set(result, "bytes", static_cast<double>(found.bytes));
  result.Set("linked", Napi::Boolean::New(of.env, found.linked));
  result.Set("trusted", Napi::Boolean::New(of.env, found.trusted));
  result.Set("created", Napi::Boolean::New(of.env, found.created));
  set(result, "owner", found.owner);
  set(result, "mode", found.mode);
  return result;
}

void set_storage(Napi::Object &object, const isthmus_storage &found) {
  set(object, "storedBytes", static_cast<double>(found.stored_bytes));
  set(object, "totalBytes", static_cast<double>(found.total_bytes));
  set(object, "freeBytes", static_cast<double>(found.free_bytes));
  set(object, "totalFiles", static_cast<double>(found.total_files));
  set(object, "freeFiles", static_cast<double>(found.free_files));
  object.Set("inMemory", Napi::Boolean::New(object.Env(), found.in_memory));
  object.Set("layered", Napi::Boolean::New(object.Env(), found.layered));
  object.Set("readOnly", Napi::Boolean::New(object.Env(), found.read_only));
}

napi_value storage(const call &of) {
  object_slot *slot;
  isthmus_storage found;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot)) return nullptr;
  if (isthmus_object_storage(slot->object, &found, &failure) != ISTHMUS_OK)
    return throw_failure(of.env, failure);
  Napi::Object result = Napi::Object::New(of.env);
  set_storage(result, found);
  return result;
}

napi_value allocate(const call &of) {
  object_slot *slot;
  uint64_t bytes;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot) || !take_integer(of, 1, "bytes", BYTES_MAX, &bytes)) return nullptr;
  if (bytes == 0)
    throw_range_error(of.env, "bytes", "more than 0");
  else if (isthmus_allocate(slot->object, bytes, &failure) != ISTHMUS_OK)
    return throw_failure(of.env, failure);
  return nullptr;
}

napi_value shrink(const call &of) {
  object_slot *slot;
  uint64_t bytes;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot) || !take_integer(of, 1, "bytes", BYTES_MAX, &bytes)) return nullptr;
  if (isthmus_shrink(slot->object, bytes, &failure) == ISTHMUS_OK) return nullptr;
  return throw_failure(of.env, failure);
}

static bool take_bytes(const call &of, size_t index, const char *name, const char *expected, void **address,
                       size_t *bytes) {
  napi_typedarray_type type;
  napi_status status =
      napi_get_typedarray_info(of.env, of.arguments[index], &type, bytes, address, nullptr, nullptr);
  if (status == napi_ok && type == napi_uint8_array) return true;
  throw_type_error(of.env, name, expected);
  return false;
}

napi_value read_object(const call &of) {
  object_slot *slot;
  uint64_t offset, copied;
  void *into;
  size_t bytes;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot) || !take_integer(of, 1, "offset", BYTES_MAX, &offset)) return nullptr;
  if (!take_bytes(of, 2, "into", "a Uint8Array", &into, &bytes)) return nullptr;
  if (isthmus_read(slot->object, offset, into, bytes, &copied, &failure) != ISTHMUS_OK)
    return throw_failure(of.env, failure);
  return Napi::Number::New(of.env, static_cast<double>(copied));
}

static napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value remove_object(const call &of) {
  object_slot *slot;
  bool removed;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot)) return nullptr;
  int status = isthmus_remove(slot->object, &removed, &failure);
  return status == ISTHMUS_OK ? boolean(of.env, removed) : throw_failure(of.env, failure);
}

/* ---- locks */

static bool take_lock(const call &of, object_slot **slot, uint32_t *index) {
  uint64_t number;
  if (!take_object(of, 0, slot) || !take_integer(of, 1, "index", ISTHMUS_LOCK_MAX, &number)) return false;
  *index = static_cast<uint32_t>(number);
  return true;
}

napi_value lock(const call &of) {
  object_slot *slot;
  uint32_t index;
  bool shared, taken;
  isthmus_failure failure;
  if (!take_lock(of, &slot, &index) || !take_boolean(of, 2, "shared", &shared)) return nullptr;
  int status = isthmus_lock(slot->object, index, shared, &taken, &failure);
  return status == ISTHMUS_OK ? boolean(of.env, taken) : throw_failure(of.env, failure);
}

napi_value unlock(const call &of) {
  object_slot *slot;
  uint32_t index;
  isthmus_failure failure;
  if (!take_lock(of, &slot, &index)) return nullptr;
  if (isthmus_unlock(slot->object, index, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  return nullptr;
}

napi_value held(const call &of) {
  object_slot *slot;
  uint32_t index;
  bool exclusively, found;
  isthmus_failure failure;
  if (!take_lock(of, &slot, &index) || !take_boolean(of, 2, "exclusively", &exclusively)) return nullptr;
  int status = isthmus_held(slot->object, index, exclusively, &found, &failure);
  return status == ISTHMUS_OK ? boolean(of.env, found) : throw_failure(of.env, failure);
}

/* ---- mapping */

napi_value map(const call &of) {
  object_slot *slot;
  bool read_only;
  isthmus_failure failure;
  size_t bytes;
  void *address;
  napi_ref view;
  if (!take_object(of, 0, &slot)) return nullptr;
  if (!take_bytes(of, 1, "memory", "a Uint8Array over a whole WebAssembly.Memory", &address, &bytes))
    return nullptr;
  if (!take_boolean(of, 2, "readOnly", &read_only)) return nullptr;
  if (napi_create_reference(of.env, of.arguments[1], 1, &view) != napi_ok) return nullptr;
  if (isthmus_map(slot->object, address, bytes, read_only, &failure) != ISTHMUS_OK) {
    napi_delete_reference(of.env, view);
    return throw_failure(of.env, failure);
  }
  slot->view = view;
  return nullptr;
}

napi_value unmap(const call &of) {
  object_slot *slot;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot)) return nullptr;
  if (isthmus_unmap(slot->object, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  drop_view(of, slot);
  return nullptr;
}

napi_value flush(const call &of) {
  object_slot *slot;
  isthmus_failure failure;
  if (!take_object(of, 0, &slot)) return nullptr;
  if (isthmus_flush(slot->object, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  return nullptr;
}

napi_value touch(const call &of) {
  object_slot *slot;
  if (take_object(of, 0, &slot)) isthmus_touch(slot->object);
  return nullptr;
}
