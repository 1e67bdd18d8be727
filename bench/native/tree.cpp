// tree SEARCHES COUNT WORKERS…: the programme of examples/tree.ts in that many processes, one count after the
// other. Each process inserts COUNT keys into one tree, each under the exclusive lock, searches each SEARCHES times
// under the shared one, and removes them all.
//
//   one mapping:   Shared | node | node | ...         links are indexes of nodes, 0 for none
//
// The lock is a process-shared rwlock, the nearest that POSIX has: unlike ours it is lost with whoever dies holding it.
// Nodes come from a list of free ones, else from the end of those in use, under the same lock as the tree.
#include "pair.hpp"
#include <algorithm>
#include <cerrno>
#include <pthread.h>
#include <semaphore.h>

struct Node {
  uint32_t key, left, right;
};

struct Shared {
  pthread_rwlock_t lock;
  sem_t ready, go, done;
  uint32_t top, free, used, live, lost;
};

static Shared *shared;
static Node *nodes;
constexpr int PATIENCE_S = 30;

static uint32_t allocate() {
  shared->live++;
  if (!shared->free) return ++shared->used;
  const uint32_t node = shared->free;
  shared->free = nodes[node].left;
  return node;
}

static void give_back(uint32_t node) {
  shared->live--;
  nodes[node].left = shared->free;
  shared->free = node;
}

/** The link that leads to the key, or would. */
static uint32_t *find(uint32_t key) {
  uint32_t *link = &shared->top;
  while (*link && nodes[*link].key != key) {
    Node &node = nodes[*link];
    link = key < node.key ? &node.left : &node.right;
  }
  return link;
}

static void insert(uint32_t key) {
  const uint32_t node = allocate();
  nodes[node] = {key, 0, 0};
  *find(key) = node;
}

/** Puts the smallest node of the right subtree in the place of one that has two. */
static void replace(uint32_t *link, uint32_t node) {
  uint32_t *next = &nodes[node].right;
  while (nodes[*next].left) next = &nodes[*next].left;
  const uint32_t smallest = *next;
  *next = nodes[smallest].right;
  nodes[smallest].left = nodes[node].left;
  nodes[smallest].right = nodes[node].right;
  *link = smallest;
}

static void take_out(uint32_t key) {
  uint32_t *link = find(key);
  const uint32_t node = *link;
  if (!node) {
    shared->lost++;
    return;
  }
  if (!nodes[node].left) *link = nodes[node].right;
  else if (!nodes[node].right) *link = nodes[node].left;
  else replace(link, node);
  give_back(node);
}

/** As in examples/shared-tree.ts: different numbers become different keys, in no order. */
static uint32_t key_of(uint32_t number) {
  const uint32_t mixed = (number ^ (number >> 15)) * 0x9e3779b1u;
  return (mixed ^ (mixed >> 13)) * 0x85ebca6bu;
}

static void await(sem_t *semaphore) {
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PATIENCE_S;
  if (sem_timedwait(semaphore, &until) == 0) return;
  if (errno == ETIMEDOUT) disturbed("another process did not get its turn");
  fail("sem_timedwait");
}

static bool work(uint32_t worker, uint32_t keys, uint64_t searches) {
  std::vector<uint32_t> own(keys);
  for (uint32_t i = 0; i < keys; i++) own[i] = key_of(worker * keys + i);
  sem_post(&shared->ready);
  await(&shared->go);
  for (const uint32_t key : own) {
    pthread_rwlock_wrlock(&shared->lock);
    insert(key);
    pthread_rwlock_unlock(&shared->lock);
  }
  bool found = true;
  for (uint64_t turn = 0; turn < searches; turn++)
    for (const uint32_t key : own) {
      pthread_rwlock_rdlock(&shared->lock);
      found = found && *find(key);
      pthread_rwlock_unlock(&shared->lock);
    }
  for (const uint32_t key : own) {
    pthread_rwlock_wrlock(&shared->lock);
    take_out(key);
    pthread_rwlock_unlock(&shared->lock);
  }
  sem_post(&shared->done);
  return found;
}

/** Runs the programme in `workers` forked processes. Nanoseconds from the moment when all are ready. */
static double round_of(uint32_t workers, uint32_t keys, uint64_t searches) {
  const pid_t parent = getpid();
  for (uint32_t worker = 0; worker < workers; worker++) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    _exit(work(worker, keys, searches) ? 0 : 1);
  }
  for (uint32_t i = 0; i < workers; i++) await(&shared->ready);
  const uint64_t start = now_ns();
  for (uint32_t i = 0; i < workers; i++) sem_post(&shared->go);
  for (uint32_t i = 0; i < workers; i++) await(&shared->done);
  const double ns = double(now_ns() - start);
  for (uint32_t i = 0; i < workers; i++) {
    int status = 0;
    if (wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == DISTURBED_CODE)
      disturbed("a process did not get its turn");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) shared->lost++;
  }
  if (shared->lost || shared->top || shared->live) {
    fprintf(stderr, "a key was lost, or something is left in the tree\n");
    exit(1);
  }
  return ns;
}

int main(int argc, char **argv) {
  const auto number = [&](int index) { return number_argument(argc, argv, index); };
  const uint64_t searches = number(1);
  const uint32_t count = uint32_t(number(2));
  std::vector<uint32_t> workers;
  for (int argument = 3; argument < argc; argument++) workers.push_back(uint32_t(number(argument)));
  if (workers.empty()) number(3);
  const uint32_t most = *std::max_element(workers.begin(), workers.end());
  const size_t bytes = sizeof(Shared) + (size_t(most) * count + 1) * sizeof(Node);
  shared = reinterpret_cast<Shared *>(shared_pages(bytes));
  nodes = reinterpret_cast<Node *>(shared + 1);
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_rwlock_init(&shared->lock, &attributes);
  for (sem_t *semaphore : {&shared->ready, &shared->go, &shared->done}) sem_init(semaphore, 1, 0);
  std::vector<uint64_t> first;
  std::string parts;
  for (const uint32_t each : workers) {
    const double ns = round_of(each, count, searches);
    if (first.empty()) first.push_back(uint64_t(ns));
    if (!parts.empty()) parts += ",";
    parts += "\"" + std::to_string(each) + "\":" + std::to_string(ns);
  }
  print_latencies(first, 1, parts);
}
