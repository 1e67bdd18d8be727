/*
 * Sleeping, waking, and the bell: a thread-safe function that the shim's watching thread calls.
 *
 * Rings are coalesced by `bell_posted`: only the ring that turns it from 0 to 1 posts a call, and it is 0
 * again before JavaScript looks at the words. So each change is followed by a look, and a fast peer cannot
 * fill the event queue.
 */
#include "binding_state.h"

napi_value wake(const call &of) {
  object_slot *slot;
  uint64_t offset;
  isthmus_failure failure;
  if (!take_mapped(of, 0, &slot) || !take_word_offset(of, 1, slot, &offset)) return nullptr;
  if (isthmus_wake(slot->object, offset, &failure) != ISTHMUS_OK) return throw_failure(of.env, failure);
  return nullptr;
}

napi_value wait(const call &of) {
  object_slot *slot;
  uint64_t offset;
  int64_t expected;
  double timeout_ms;
  isthmus_failure failure;
  if (!take_mapped(of, 0, &slot) || !take_word_offset(of, 1, slot, &offset)) return nullptr;
  if (napi_get_value_int64(of.env, of.arguments[2], &expected) != napi_ok) {
    throw_type_error(of.env, "expected", "a number");
  } else if (napi_get_value_double(of.env, of.arguments[3], &timeout_ms) != napi_ok ||
             timeout_ms != timeout_ms) {
    throw_type_error(of.env, "timeoutMs", "a number");
  } else if (isthmus_wait(slot->object, offset, static_cast<uint32_t>(expected), timeout_ms, &failure) !=
             ISTHMUS_OK) {
    throw_failure(of.env, failure);
  }
  return nullptr;
}

napi_value now(const call &of) {
  napi_value result = nullptr;
  napi_create_double(of.env, isthmus_now_ms(), &result);
  return result;
}

/* On the shim's thread. */
void ring(void *data) {
  binding_state *state = static_cast<binding_state *>(data);
  if (__atomic_exchange_n(&state->bell_posted, 1, __ATOMIC_SEQ_CST) != 0) return;
  if (napi_call_threadsafe_function(state->bell, nullptr, napi_tsfn_nonblocking) == napi_ok) return;
  __atomic_store_n(&state->bell_posted, 0, __ATOMIC_SEQ_CST);
}

/* On the event loop; without an environment when that is going away. */
static void call_bell(napi_env env, napi_value bell, void *context, void *) {
  binding_state *state = static_cast<binding_state *>(context);
  napi_value receiver;
  if (!env || !bell) return;
  __atomic_store_n(&state->bell_posted, 0, __ATOMIC_SEQ_CST);
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  napi_call_function(env, receiver, bell, 0, nullptr, nullptr);
}

napi_value set_bell(const call &of) {
  binding_state *state = of.state;
  napi_valuetype type;
  napi_value name;
  if (napi_typeof(of.env, of.arguments[0], &type) != napi_ok || type != napi_function) {
    throw_type_error(of.env, "bell", "a function");
    return nullptr;
  }
  if (state->bell) {
    throw_type_error(of.env, "setBell", "called once only");
    return nullptr;
  }
  if (napi_create_string_utf8(of.env, "isthmus", NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  napi_threadsafe_function made;
  if (napi_create_threadsafe_function(of.env, of.arguments[0], nullptr, name, 0, 1, nullptr, nullptr, state,
                                      call_bell, &made) != napi_ok) {
    return throw_failure(of.env, isthmus_failure{ISTHMUS_SYSTEM, 0, "napi_create_threadsafe_function"});
  }
  napi_unref_threadsafe_function(of.env, made);
  state->bell = made;
  /* The hook that was added last runs first: ours stops the thread before the runtime takes the function away. */
  napi_remove_env_cleanup_hook(of.env, end_environment, state);
  napi_add_env_cleanup_hook(of.env, end_environment, state);
  return nullptr;
}

napi_value watch(const call &of) {
  object_slot *slot;
  uint64_t offset;
  isthmus_failure failure;
  if (!take_mapped(of, 0, &slot) || !take_word_offset(of, 1, slot, &offset)) return nullptr;
  if (!of.state->bell)
    throw_type_error(of.env, "watch", "called after setBell");
  else if (isthmus_watch(slot->object, offset, &failure) != ISTHMUS_OK)
    return throw_failure(of.env, failure);
  return nullptr;
}

napi_value unwatch(const call &of) {
  object_slot *slot;
  if (take_object(of, 0, &slot)) isthmus_unwatch(slot->object);
  return nullptr;
}
