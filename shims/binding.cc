/*
 * The Node-API face of the shim: ts/host/native.ts, function for function. It knows Node-API and no operating
 * system, and is linked without a C++ library: no exceptions, and nothing of std:: that needs one at run
 * time.
 *
 * node-addon-api registers the module. The wrappers that it has for values are left out: each of them checks
 * its call and brings in a class of errors, which is 4 KiB of code, and `lock`, `held`, `wake` and `wait` are
 * called often.
 *
 * One callback serves all functions. What tells them apart is a row of the table below: the name, the
 * parameters, and a case of the switch that the compiler makes of it. Functions by address would need a
 * relocation each, which is longer than the row.
 */
#include <napi.h>
#include <stdlib.h>

#include "binding_state.h"

/* F(name in JavaScript, body, parameters …) */
#define FUNCTIONS(F)                                                  \
  F(openNamed, open_named, NAME, NAME_SPACE, CREATE, READ_ONLY, MODE) \
  F(openFile, open_file, PATH, CREATE, READ_ONLY, MODE)               \
  F(openAnonymous, open_anonymous, NOTHING)                           \
  F(openHandle, open_handle, HANDLE, READ_ONLY)                       \
  F(openStaged, open_staged, NAME, NAME_SPACE, MODE)                  \
  F(publish, publish, OBJECT, REPLACE)                                \
  F(handle, handle, OBJECT)                                           \
  F(info, info, OBJECT)                                               \
  F(storage, storage, OBJECT)                                         \
  F(allocate, allocate, OBJECT, BYTES)                                \
  F(shrink, shrink, OBJECT, BYTES)                                    \
  F(read, read_object, OBJECT, OFFSET, INTO)                          \
  F(remove, remove_object, OBJECT)                                    \
  F(lock, lock, OBJECT, INDEX, SHARED)                                \
  F(unlock, unlock, OBJECT, INDEX)                                    \
  F(held, held, OBJECT, INDEX, EXCLUSIVELY)                           \
  F(map, map, OBJECT, MEMORY, READ_ONLY)                              \
  F(unmap, unmap, OBJECT)                                             \
  F(flush, flush, OBJECT)                                             \
  F(touch, touch, OBJECT)                                             \
  F(close, close_object, OBJECT)                                      \
  F(wake, wake, MAPPED, WORD)                                         \
  F(wait, wait, MAPPED, WORD, EXPECTED, TIMEOUT_MS)                   \
  F(now, now, NOTHING)                                                \
  F(setBell, set_bell, BELL)                                          \
  F(watch, watch, MAPPED, WORD)                                       \
  F(unwatch, unwatch, OBJECT)                                         \
  F(list, list, NAME_SPACE)                                           \
  F(unlink, unlink_name, NAME, NAME_SPACE)                            \
  F(limits, limits, NOTHING)

#define INDEX_OF(name, body, ...) at_##body,
enum function_index { FUNCTIONS(INDEX_OF) FUNCTION_COUNT };

#define ROW(name, body, ...) {#name, {__VA_ARGS__}},
static const struct {
  char name[14];
  parameter parameters[ARGUMENTS_MAX];
} ROWS[] = {FUNCTIONS(ROW)};

#define CASE(name, body, ...) \
  case at_##body:             \
    return body(of);

static int run(call &of, size_t function) {
  switch (function) {
    FUNCTIONS(CASE)
    default:
      return THROWN;
  }
}

/* The data of a function: one of these for each row. */
struct bound_function {
  binding_state *state;
  size_t function;
};

struct whole_state {
  binding_state state;
  bound_function functions[FUNCTION_COUNT];
};

static napi_value enter(napi_env env, napi_callback_info info) {
  call of = {};
  size_t count = ARGUMENTS_MAX;
  napi_value given[ARGUMENTS_MAX];
  void *data = nullptr;
  if (napi_get_cb_info(env, info, &count, given, nullptr, &data) != napi_ok) return nullptr;
  const bound_function &bound = *static_cast<bound_function *>(data);
  const parameter *parameters = ROWS[bound.function].parameters;
  of.env = env;
  of.state = bound.state;
  for (size_t i = 0; i < ARGUMENTS_MAX && parameters[i] != NOTHING; i++) {
    of.arguments[i].given = given[i];
    if (!take(of, i, parameters[i])) return nullptr;
  }
  int status = run(of, bound.function);
  if (status > ISTHMUS_OK) throw_failure(of);
  return of.result;
}

/* When the thread's runtime ends, however it does: nothing of ours may run or be mapped after it. */
void end_environment(void *data) {
  binding_state *state = static_cast<binding_state *>(data);
  isthmus_environment_close(state->environment);
  state->environment = nullptr;
}

/* The last of all: a ring that was already posted still looks at the state after end_environment. */
static void free_state(napi_env, void *data, void *) {
  whole_state *whole = static_cast<whole_state *>(data);
  free(whole->state.slots);
  free(whole);
}

static Napi::Object start(Napi::Env env, Napi::Object exports) {
  call of = {};
  of.env = env;
  of.failure = {ISTHMUS_SYSTEM, 0, "malloc"};
  whole_state *whole = static_cast<whole_state *>(calloc(1, sizeof *whole));
  if (!whole ||
      isthmus_environment_open(ring, &whole->state, &whole->state.environment, &of.failure) != ISTHMUS_OK) {
    free(whole);
    throw_failure(of);
    return exports;
  }
  /* The loader looks at it before it calls anything. */
  give_number(of, ISTHMUS_SHIM_CONTRACT);
  napi_set_named_property(env, exports, "contract", of.result);
  napi_set_instance_data(env, whole, free_state, nullptr);
  napi_add_env_cleanup_hook(env, end_environment, &whole->state);
  for (size_t i = 0; i < FUNCTION_COUNT; i++) {
    napi_value function;
    whole->functions[i] = {&whole->state, i};
    if (napi_create_function(env, ROWS[i].name, NAPI_AUTO_LENGTH, enter, &whole->functions[i], &function) !=
        napi_ok)
      break;
    napi_set_named_property(env, exports, ROWS[i].name, function);
  }
  return exports;
}

NODE_API_MODULE(isthmus, start)
