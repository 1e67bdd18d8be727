/*
 * What the binding keeps per JavaScript thread, how arguments become C values, and how refusals become
 * errors.
 *
 * Objects are numbers in JavaScript. A number is never given out twice in a process, so a stale one, or one
 * of another thread, is recognised and is a TypeError.
 */
#ifndef ISTHMUS_BINDING_STATE_H
#define ISTHMUS_BINDING_STATE_H

#include <napi.h>

#include "isthmus_shim.h"

struct object_slot {
  double number; /* 0 when the slot is free */
  isthmus_object *object;
  napi_ref view; /* keeps the memory alive while an object is mapped over it */
};

/* Room for the longest path, with its NUL. */
constexpr size_t TEXT_BYTES = 4096;

struct binding_state {
  isthmus_environment *environment;
  object_slot *slots;
  uint32_t slot_count;
  napi_threadsafe_function bell;
  uint32_t bell_posted; /* 1 from the first ring until JavaScript is about to look; accessed atomically */
  /* The text argument of the call that runs. Not on the stack: Windows wants frames below a page. */
  char text[TEXT_BYTES];
};

/* Every function of the binding has its thread's state as its data. */
constexpr size_t ARGUMENTS_MAX = 5;
struct call {
  napi_env env;
  binding_state *state;
  napi_value arguments[ARGUMENTS_MAX]; /* those that were not given are undefined */
};
call begin_call(napi_env env, napi_callback_info info);

/* Each gives false, with an exception pending, when argument `index` is not what `name` needs. */
bool take_object(const call &of, size_t index, object_slot **out);
bool take_mapped(const call &of, size_t index, object_slot **out);
bool take_boolean(const call &of, size_t index, const char *name, bool *out);
/* An integer from 0 to `most`. */
bool take_integer(const call &of, size_t index, const char *name, double most, uint64_t *out);
/* The offset of a 32-bit word inside the mapping of `slot`. */
bool take_word_offset(const call &of, size_t index, const object_slot *slot, uint64_t *out);
/* Text without NUL; it stays in `of.state->text` until the next one is taken. */
bool take_text(const call &of, size_t index, const char *name, const char **out);
bool take_namespace(const call &of, size_t index, uint64_t *out);

void throw_type_error(napi_env env, const char *name, const char *expected);
void throw_range_error(napi_env env, const char *name, const char *expected);
/* An Error with `status`, `syscall` and `errno`. Gives nullptr, for the caller to return. */
napi_value throw_failure(napi_env env, const isthmus_failure &failure);

/* Gives the object a number; closes it when there is no room for one. */
napi_value add_object(const call &of, isthmus_object *object);
void drop_object(const call &of, object_slot *slot);
void drop_view(const call &of, object_slot *slot);

/* binding.cc */
void end_environment(void *state);

/* binding_object.cc */
napi_value open_named(const call &of);
napi_value open_file(const call &of);
napi_value open_anonymous(const call &of);
napi_value open_handle(const call &of);
napi_value open_staged(const call &of);
napi_value publish(const call &of);
napi_value handle(const call &of);
napi_value close_object(const call &of);
napi_value info(const call &of);
/* Sets what is known of the storage as properties. */
void set_storage(Napi::Object &object, const isthmus_storage &found);
napi_value storage(const call &of);
napi_value allocate(const call &of);
napi_value shrink(const call &of);
napi_value read_object(const call &of);
napi_value remove_object(const call &of);
napi_value lock(const call &of);
napi_value unlock(const call &of);
napi_value held(const call &of);
napi_value map(const call &of);
napi_value unmap(const call &of);
napi_value flush(const call &of);
napi_value touch(const call &of);

/* binding_wait.cc */
napi_value wake(const call &of);
napi_value wait(const call &of);
napi_value now(const call &of);
napi_value set_bell(const call &of);
napi_value watch(const call &of);
napi_value unwatch(const call &of);
void ring(void *state);

#endif
