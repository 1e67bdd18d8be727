/*
 * What the files of the binding share: what is kept per JavaScript thread, and one call of a function.
 *
 * A call goes through three stations. binding.cc reads the row of the function in its table;
 * binding_arguments.cc turns each JavaScript argument into a C value, by the rule of its parameter; the body
 * calls the shim.
 *
 * Objects are numbers in JavaScript. A number is never given out twice in a process, so a stale one, or one
 * of another thread, is recognised and is a TypeError.
 */
#ifndef ISTHMUS_BINDING_STATE_H
#define ISTHMUS_BINDING_STATE_H

#include <node_api.h>

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
  uint32_t bell_posted; /* 1 from the first ring until JavaScript is about to look; accessed atomically */
  napi_threadsafe_function bell;
  /* The text argument of the call that runs. Not on the stack: Windows wants frames below a page. */
  char text[TEXT_BYTES];
};

/* Every parameter of the functions, each with a rule in binding_arguments.cc. No function has two texts or two views. */
enum parameter : uint8_t {
  NOTHING,
  OBJECT, /* gives `slot` and `object` of the call, as MAPPED does */
  MAPPED, /* an object that is mapped */
  WORD,   /* the offset of a word in the mapping of the object before it */
  NAME,
  PATH,
  HANDLE,
  NAME_SPACE,
  CREATE,
  READ_ONLY,
  MODE,
  REPLACE,
  BYTES,
  OFFSET,
  INTO,
  MEMORY,
  INDEX,
  SHARED,
  EXCLUSIVELY,
  EXPECTED,
  TIMEOUT_MS,
  BELL,
};

struct argument {
  napi_value given; /* undefined when it was not given */
  double number;
  uint64_t integer; /* 0 or 1 for a boolean */

  bool flag() const { return integer != 0; }
  uint32_t index() const { return static_cast<uint32_t>(integer); }
};

constexpr size_t ARGUMENTS_MAX = 5;

struct call {
  napi_env env;
  binding_state *state;
  argument arguments[ARGUMENTS_MAX];
  object_slot *slot;
  isthmus_object *object; /* that of the slot; or the one that a body opens */
  void *view;             /* what the Uint8Array shows, of `view_bytes` bytes */
  size_t view_bytes;
  napi_value result; /* nullptr is undefined */
  isthmus_failure failure;
};

/*
 * A body gives the status of the shim, with `failure` filled in unless it is ISTHMUS_OK, or this one when it
 * has thrown by itself.
 */
constexpr int THROWN = -1;

/* ---- binding_arguments.cc ------------------------------------------------------------------------------ */

/* False, with an exception pending, when argument `index` is not what `wanted` allows. */
bool take(call &of, size_t index, parameter wanted);
/* Sets the view of the call. What it must be instead, or nullptr when it is that. */
const char *take_view(call &of, napi_value given);
/* Throws a RangeError or a TypeError that names the argument. Gives THROWN. */
int refuse_range(const call &of, const char *name, const char *expected);
int refuse_type(const call &of, const char *name, const char *expected);

/* ---- binding_state.cc ---------------------------------------------------------------------------------- */

/* nullptr when no open object of this thread has that number. */
object_slot *slot_of(const binding_state *state, double number);
/* After a call of the shim that opens: gives `object` of the call a number, or closes it when there is no room for one. */
int give_object(call &of, int status);
void drop_object(const call &of);
void drop_view(const call &of);

/* Each of these sets the result of the call and gives ISTHMUS_OK. */
int give_number(call &of, double value);
int give_boolean(call &of, bool value);
int give_text(call &of, const char *value);

enum field_kind : uint8_t { FLAG, UINT32, UINT64, TEXT };

/* A member of a struct of the contract, and the property that shows it. */
struct field {
  char name[16];
  field_kind kind;
  uint8_t offset;
};

/* Sets them as properties of the result, which becomes an object if it is none yet. */
int give_fields(call &of, const field *fields, size_t count, const void *from);
/* Throws an Error that tells the failure of the call: `status`, `syscall` and `errno`. */
void throw_failure(call &of);

/* ---- the bodies, each the function of that name in ts/host/native.ts ----------------------------------- */

/* binding_object.cc */
int open_named(call &of);
int open_file(call &of);
int open_anonymous(call &of);
int open_handle(call &of);
int open_staged(call &of);
int publish(call &of);
int handle(call &of);
int close_object(call &of);
int info(call &of);
int storage(call &of);
int limits(call &of);
int allocate(call &of);
int shrink(call &of);
int read_object(call &of);
int remove_object(call &of);
int lock(call &of);
int unlock(call &of);
int held(call &of);
int map(call &of);
int unmap(call &of);
int flush(call &of);
int touch(call &of);
int list(call &of);
int unlink_name(call &of);

/* binding_wait.cc */
int wake(call &of);
int wait(call &of);
int now(call &of);
int set_bell(call &of);
int watch(call &of);
int unwatch(call &of);
void ring(void *state);

/* binding.cc */
void end_environment(void *state);

#endif
