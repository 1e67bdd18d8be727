/*
 * Watching words for an event loop: a thread that sleeps on up to WATCHED_MAX words at once
 * (words_per_watcher) and rings the environment's bell when one has another value than it last saw. One more
 * word, `control`, is the shim's own: it changes when the list of words does, or when the thread is to end.
 *
 * Where the system cannot wait for several words, a thread sleeps on one word only, and there are as many
 * threads as words. Such a thread cannot be reached through `control`: it is woken on its word until it says
 * that it left.
 *
 * No change is lost: `seen` is the value that the system compares with when the thread falls asleep. The
 * thread looks at words under `lock` only, so a word that is off the list may be unmapped at once.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "posix.h"

/* How long to sleep after a refusal that the kernel may repeat at once, instead of spinning. */
#define REFUSED_SLEEP_NS 10000000u

typedef struct {
  isthmus_object *object;
  const unsigned char *address;
  uint32_t seen;
} watched_word;

struct watcher {
  watcher *next;
  isthmus_environment *environment;
  pthread_t thread;
  uint32_t capacity;
  _Atomic uint32_t control;
  _Atomic uint32_t left;
  short_lock lock; /* guards what follows */
  bool ends;
  uint32_t count;
  watched_word words[WATCHED_MAX];
};

/* Notes the present values. False when the thread is to end; `*changed` when the bell is to be rung. */
static bool look(watcher *self, awaited_word *awaited, uint32_t *count, awaited_word *control,
                 bool *changed) {
  *changed = false;
  lock_shortly(&self->lock);
  for (uint32_t i = 0; i < self->count; i++) {
    watched_word *word = &self->words[i];
    uint32_t value = read_word(word->address);
    if (value != word->seen) *changed = true;
    word->seen = value;
    awaited[i] = (awaited_word){word->address, value};
  }
  *count = self->count;
  *control = (awaited_word){(const void *)&self->control, atomic_load(&self->control)};
  bool goes_on = !self->ends;
  unlock_shortly(&self->lock);
  return goes_on;
}

static void *watch_words(void *argument) {
  watcher *self = argument;
  awaited_word awaited[WATCHED_MAX], control;
  uint32_t count;
  bool changed;
  name_this_thread("isthmus");
  while (look(self, awaited, &count, &control, &changed)) {
    if (changed) {
      self->environment->bell(self->environment->context);
      continue;
    }
    long result = sleep_on_words(awaited, count, control, self->capacity > 1);
    if (result < 0 && errno != EAGAIN && errno != EINTR)
      sleep_on_word(control.word, control.expected, REFUSED_SLEEP_NS, true);
  }
  atomic_store(&self->left, 1);
  wake_word(&self->left, true);
  return NULL;
}

/* Zero or an error number. The thread takes no signal: those belong to the engine. */
static int start_thread(watcher *self) {
  /* glibc and musl give pthread_attr_t different sizes; this holds either. */
  union {
    pthread_attr_t attributes;
    uint64_t room[32];
  } with;
  sigset_t all, before;
  int result = EINVAL;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  /* glibc puts a program's thread-local variables on the stack, and says EINVAL when too little is left. */
  for (size_t stack_bytes = 64 << 10; result == EINVAL && stack_bytes <= 4 << 20; stack_bytes *= 4) {
    pthread_attr_init(&with.attributes);
    pthread_attr_setstacksize(&with.attributes, stack_bytes);
    result = pthread_create(&self->thread, &with.attributes, watch_words, self);
    pthread_attr_destroy(&with.attributes);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return result;
}

static void announce(watcher *self) {
  atomic_fetch_add(&self->control, 1);
  wake_word(&self->control, true);
}

static void stop(watcher *self) {
  lock_shortly(&self->lock);
  self->ends = true;
  unlock_shortly(&self->lock);
  announce(self);
  while (self->capacity == 1 && !atomic_load(&self->left)) {
    wake_word(self->words[0].address, false);
    sleep_on_word(&self->left, 0, 1000000, true);
  }
  pthread_join(self->thread, NULL);
  watcher **link = &self->environment->watchers;
  while (*link != self) link = &(*link)->next;
  *link = self->next;
  free(self);
}

static bool is_watched(const isthmus_environment *environment, const unsigned char *address) {
  for (const watcher *each = environment->watchers; each; each = each->next) {
    for (uint32_t i = 0; i < each->count; i++) {
      if (each->words[i].address == address) return true;
    }
  }
  return false;
}

int isthmus_watch(isthmus_object *object, uint64_t offset, isthmus_failure *failure) {
  isthmus_environment *environment = object->environment;
  watched_word word = {object, object->address + offset, read_word(object->address + offset)};
  if (is_watched(environment, word.address)) return ISTHMUS_OK;
  for (watcher *each = environment->watchers; each; each = each->next) {
    if (each->count == each->capacity) continue;
    lock_shortly(&each->lock);
    each->words[each->count++] = word;
    unlock_shortly(&each->lock);
    announce(each);
    return ISTHMUS_OK;
  }
  watcher *made = calloc(1, sizeof *made);
  if (!made) return refuse_os_error(failure, "malloc", ENOMEM, ISTHMUS_SYSTEM);
  made->environment = environment;
  made->capacity = words_per_watcher();
  made->words[0] = word;
  made->count = 1;
  int os_error = start_thread(made);
  if (os_error != 0) {
    free(made);
    return refuse_os_error(failure, "pthread_create", os_error, ISTHMUS_SYSTEM);
  }
  made->next = environment->watchers;
  environment->watchers = made;
  return ISTHMUS_OK;
}

/* How many words of the watcher stay when those of `object` are left out. */
static uint32_t others_than(const isthmus_object *object, const watcher *self) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < self->count; i++) count += self->words[i].object != object;
  return count;
}

static void forget(watcher *self, const isthmus_object *object) {
  uint32_t kept = 0;
  lock_shortly(&self->lock);
  for (uint32_t i = 0; i < self->count; i++) {
    if (self->words[i].object != object) self->words[kept++] = self->words[i];
  }
  self->count = kept;
  unlock_shortly(&self->lock);
  announce(self);
}

void isthmus_unwatch(isthmus_object *object) {
  watcher *next;
  for (watcher *each = object->environment->watchers; each; each = next) {
    next = each->next;
    uint32_t others = others_than(object, each);
    if (others == 0)
      stop(each);
    else if (others < each->count)
      forget(each, object);
  }
}

void stop_watching(isthmus_environment *environment) {
  while (environment->watchers) stop(environment->watchers);
}
