/*
 * The Node-API face of the shim: ts/host/native.ts, function for function. It knows Node-API and no operating
 * system, and is linked without a C++ library: no exceptions, and nothing of std:: that needs one at run
 * time.
 *
 * `lock`, `held`, `wake` and `wait` are called often, so every function is a plain napi_callback:
 * node-addon-api serves where JavaScript objects are made.
 */
#include <stdlib.h>

#include "binding_state.h"

void *operator new(size_t bytes) { return malloc(bytes); }
void *operator new[](size_t bytes) { return malloc(bytes); }
void operator delete(void *memory) noexcept { free(memory); }
void operator delete[](void *memory) noexcept { free(memory); }
void operator delete(void *memory, size_t) noexcept { free(memory); }
void operator delete[](void *memory, size_t) noexcept { free(memory); }

/* Set() of a Napi::String would also bring in its conversion to std::string; of a napi_value it does not. */
static napi_value text(napi_env env, const char *value) { return Napi::String::New(env, value); }

static void add_name(void *context, const char *name) {
  Napi::Array &names = *static_cast<Napi::Array *>(context);
  names.Set(names.Length(), text(names.Env(), name));
}

static napi_value list(const call &of) {
  uint64_t name_space;
  isthmus_failure failure;
  if (!take_namespace(of, 0, &name_space)) return nullptr;
  Napi::Array names = Napi::Array::New(of.env);
  int status = isthmus_list(static_cast<uint32_t>(name_space), add_name, &names, &failure);
  return status == ISTHMUS_OK ? static_cast<napi_value>(names) : throw_failure(of.env, failure);
}

static napi_value unlink_name(const call &of) {
  const char *name;
  uint64_t name_space;
  isthmus_failure failure;
  if (!take_text(of, 0, "name", &name) || !take_namespace(of, 1, &name_space)) return nullptr;
  if (isthmus_unlink(name, static_cast<uint32_t>(name_space), &failure) == ISTHMUS_OK) return nullptr;
  return throw_failure(of.env, failure);
}

static napi_value limits(const call &of) {
  isthmus_limits found;
  isthmus_system_limits(&found);
  Napi::Object result = Napi::Object::New(of.env);
  set_storage(result, found.storage);
  result.Set("place", text(of.env, found.place));
  result.Set("wordsPerWatcher", Napi::Number::New(of.env, found.words_per_watcher));
  return result;
}

template <napi_value (*body)(const call &)>
static napi_value entry(napi_env env, napi_callback_info info) {
  return body(begin_call(env, info));
}

static const struct {
  const char *name;
  napi_callback function;
} FUNCTIONS[] = {
    {"openNamed", entry<open_named>},
    {"openFile", entry<open_file>},
    {"openAnonymous", entry<open_anonymous>},
    {"openHandle", entry<open_handle>},
    {"openStaged", entry<open_staged>},
    {"publish", entry<publish>},
    {"handle", entry<handle>},
    {"info", entry<info>},
    {"storage", entry<storage>},
    {"allocate", entry<allocate>},
    {"shrink", entry<shrink>},
    {"read", entry<read_object>},
    {"remove", entry<remove_object>},
    {"lock", entry<lock>},
    {"unlock", entry<unlock>},
    {"held", entry<held>},
    {"map", entry<map>},
    {"unmap", entry<unmap>},
    {"flush", entry<flush>},
    {"touch", entry<touch>},
    {"close", entry<close_object>},
    {"wake", entry<wake>},
    {"wait", entry<wait>},
    {"now", entry<now>},
    {"setBell", entry<set_bell>},
    {"watch", entry<watch>},
    {"unwatch", entry<unwatch>},
    {"list", entry<list>},
    {"unlink", entry<unlink_name>},
    {"limits", entry<limits>},
};

/* When the thread's runtime ends, however it does: nothing of ours may run or be mapped after it. */
void end_environment(void *data) {
  binding_state *state = static_cast<binding_state *>(data);
  isthmus_environment_close(state->environment);
  state->environment = nullptr;
}

/* The last of all: a ring that was already posted still looks at the state after end_environment. */
static void free_state(napi_env, void *data, void *) {
  binding_state *state = static_cast<binding_state *>(data);
  free(state->slots);
  free(state);
}

static Napi::Object start(Napi::Env env, Napi::Object exports) {
  isthmus_failure failure = {ISTHMUS_SYSTEM, 0, "malloc"};
  binding_state *state = static_cast<binding_state *>(calloc(1, sizeof(binding_state)));
  if (!state || isthmus_environment_open(ring, state, &state->environment, &failure) != ISTHMUS_OK) {
    free(state);
    throw_failure(env, failure);
    return exports;
  }
  /* The loader looks at it before it calls anything. */
  exports.Set("contract", Napi::Number::New(env, ISTHMUS_SHIM_CONTRACT));
  napi_set_instance_data(env, state, free_state, nullptr);
  napi_add_env_cleanup_hook(env, end_environment, state);
  for (const auto &each : FUNCTIONS) {
    napi_value function;
    if (napi_create_function(env, each.name, NAPI_AUTO_LENGTH, each.function, state, &function) != napi_ok)
      break;
    napi_set_named_property(env, exports, each.name, function);
  }
  return exports;
}

NODE_API_MODULE(isthmus, start)
