/*
 * Sleeping, waking, and the bell: a thread-safe function that the shim's watching thread calls.
 *
 * Rings are coalesced by `bell_posted`: only the ring that turns it from 0 to 1 posts a call, and it is 0
 * again before JavaScript looks at the words. So each change is followed by a look, and a fast peer cannot
 * fill the event queue.
 */
#include "binding_state.h"

int wake(call &of) { return isthmus_wake(of.object, of.arguments[1].integer, &of.failure); }

int wait(call &of) {
  int64_t expected = 0; /* a word that JavaScript reads as a signed number is the same word */
  napi_get_value_int64(of.env, of.arguments[2].given, &expected);
  return isthmus_wait(of.object, of.arguments[1].integer, static_cast<uint32_t>(expected),
                      of.arguments[3].number, &of.failure);
}

int now(call &of) { return give_number(of, isthmus_now_ms()); }

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

int set_bell(call &of) {
  binding_state *state = of.state;
  napi_value name;
  napi_threadsafe_function made;
  if (state->bell) return refuse_type(of, "setBell", "called once only");
  if (napi_create_string_utf8(of.env, "isthmus", NAPI_AUTO_LENGTH, &name) != napi_ok) return THROWN;
  if (napi_create_threadsafe_function(of.env, of.arguments[0].given, nullptr, name, 0, 1, nullptr, nullptr,
                                      state, call_bell, &made) != napi_ok) {
    of.failure = {ISTHMUS_SYSTEM, 0, "napi_create_threadsafe_function"};
    return ISTHMUS_SYSTEM;
  }
  napi_unref_threadsafe_function(of.env, made);
  state->bell = made;
  /* The hook that was added last runs first: ours stops the thread before the runtime takes the function away. */
  napi_remove_env_cleanup_hook(of.env, end_environment, state);
  napi_add_env_cleanup_hook(of.env, end_environment, state);
  return ISTHMUS_OK;
}

int watch(call &of) {
  if (!of.state->bell) return refuse_type(of, "watch", "called after setBell");
  return isthmus_watch(of.object, of.arguments[1].integer, &of.failure);
}

int unwatch(call &of) {
  isthmus_unwatch(of.object);
  return ISTHMUS_OK;
}
