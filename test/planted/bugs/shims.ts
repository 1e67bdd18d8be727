/** Bugs in shims/: what the system is asked for, and what is given back. */
import { type Bug, inSource } from "../bug.js";

const failure = inSource("shims/posix_failure.c");
const file = inSource("shims/linux_file.c");
const fork = inSource("shims/posix_fork.c");
const handle = inSource("shims/linux_handle.c");
const lock = inSource("shims/posix_lock.c");
const map = inSource("shims/posix_map.c");
const name = inSource("shims/linux_name.c");
const placedObject = inSource("shims/linux_object.c");
const descriptor = inSource("shims/posix_file.c");
const anyName = inSource("shims/posix_name.c");
const object = inSource("shims/posix_object.c");
const storage = inSource("shims/posix_size.c");
const size = inSource("shims/linux_size.c");
const futex = inSource("shims/linux_wait.c");
const wait = inSource("shims/posix_wait.c");
const watch = inSource("shims/posix_watch.c");
const binding = inSource("shims/binding.cc");
const bindingArguments = inSource("shims/binding_arguments.cc");
const bindingObject = inSource("shims/binding_object.cc");
const bindingState = inSource("shims/binding_state.cc");
const bindingWait = inSource("shims/binding_wait.cc");

export const BUGS: Bug[] = [
  failure("a full disk is a failure of the system", "case ENOSPC:\n", "", "shims/storage"),
  descriptor(
    "a symbolic link is followed",
    "flags | O_NOFOLLOW | O_NONBLOCK",
    "flags | O_NONBLOCK",
    "arguments/files > a directory, a link or a device",
  ),
  file(
    "a file on overlayfs looks like any other",
    "out->layered = found->type == KERNEL_OVERLAYFS_MAGIC;",
    "out->layered = false;",
    "failures/system-limits > a reader that is left behind",
  ),
  handle(
    "a handle leads to any object",
    "facts.inode == wanted->inode) {",
    "facts.inode != 0) {",
    "arguments/files > a handle that means nothing",
    "failures/system-limits > a handle that leads to something else",
  ),
  handle(
    "a handle of more than 64 bits is taken",
    "if (value > (UINT64_MAX - digit) / 10) return NULL;",
    "",
    "shims/objects",
  ),
  lock(
    "a shared lock keeps others out",
    "shared ? F_RDLCK : F_WRLCK",
    "shared ? F_WRLCK : F_WRLCK",
    "shims/locks",
  ),
  lock(
    "a shared lock counts as the sign of life of a participant",
    "exclusively ? met.l_type == F_WRLCK : met.l_type != F_UNLCK",
    "exclusively || met.l_type != F_UNLCK ? met.l_type != F_UNLCK : false",
    "shims/locks",
  ),
  fork(
    "a forked child keeps the descriptors",
    "    close_in_child(object->descriptor);\n",
    "",
    "shims/fork > what a killed parent had locked",
  ),
  fork(
    "a fork does not wait for what another thread is just opening",
    "if (busy_calls == 0) return;",
    "return;",
    "shims/fork",
  ),
  map(
    "a refused mapping leaves a hole",
    "put_zeros(address, bytes);\n    return",
    "munmap(address, bytes);\n    return",
    "shims/objects",
    "shims/waiting",
  ),
  map(
    "two objects lie over each other",
    "if (overlaps(address, bytes)) return refuse(failure, ISTHMUS_BUSY);",
    "(void)overlaps;",
    "shims/waiting",
  ),
  name(
    "a descriptor is left by the sweep",
    "if (set_byte_lock(descriptor, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0) unlink(path);\n  close_descriptor(descriptor);",
    "if (set_byte_lock(descriptor, ISTHMUS_KERNEL_LOCK_STAGED_BYTE, F_WRLCK) == 0) unlink(path);",
    "shims/names",
  ),
  anyName("a name may hold a slash", "byte == 0x7f || byte == '/'", "byte == 0x7f", "shims/names"),
  object(
    "a folder can be opened",
    "} else if (!is_regular(&facts)) {",
    "} else if (facts.mode == 0) {",
    "shims/objects",
  ),
  storage(
    "a growth that failed is not taken back",
    "do result = ftruncate(descriptor, (off_t)bytes);",
    "do result = bytes == 0;",
    "shims/storage",
  ),
  size(
    "a failed growth counts as done",
    "return take_growth_back(descriptor, facts.bytes, call, failure);",
    "(void)call;\n  return ISTHMUS_OK;",
    "shims/storage",
  ),
  placedObject(
    "a second name is not noticed",
    "facts.links <= 1) return false;\n  isthmus_list",
    "facts.links > 0) return false;\n  isthmus_list",
    "shims/names > a name that its maker died giving",
  ),
  futex(
    "a thread sleeps on one word of those that it watches",
    "return syscall(KERNEL_SYS_FUTEX_WAITV, waiters, count + 1, 0, NULL, 0);",
    "return syscall(KERNEL_SYS_FUTEX_WAITV, waiters + count - 1, 2, 0, NULL, 0);",
    "shims/watching",
  ),
  wait(
    "a blocked thread sleeps microseconds for milliseconds",
    "(uint64_t)(timeout_ms * 1e6) : SLEEP_MS_MAX * 1000000ull",
    "(uint64_t)(timeout_ms * 1e3) : SLEEP_MS_MAX * 1000ull",
    "shims/waiting",
  ),
  watch(
    "a word that is watched again is watched twice",
    "if (is_watched(environment, word.address)) return ISTHMUS_OK;",
    "(void)is_watched;",
    "shims/watching > without futex_waitv a thread per word",
  ),
  watch("a change is told of again and again", "word->seen = value;", "", "shims/watching"),
  binding(
    "the slots are freed never",
    "isthmus_environment_close(state->environment);",
    "(void)isthmus_environment_close;",
    "shims/workers > a terminated worker lets go",
  ),
  bindingObject(
    "no bytes are allocated",
    'return refuse_range(of, "bytes", "more than 0");',
    "return ISTHMUS_OK;",
    "shims/objects",
  ),
  bindingState("the number of a closed object is used again", "of.slot->number = 0;", "", "shims/objects"),
  bindingState(
    "a bool of the contract is shown as a number",
    "case FLAG:\n",
    "case FLAG:\n      give_number(of, *at);\n      break;\n      ",
    "shims/objects",
  ),
  bindingArguments(
    "an integer may be a fraction",
    "if (static_cast<double>(out->integer) == out->number) return true;",
    "return true;",
    "shims/objects",
  ),
  bindingArguments(
    "a word outside of the mapping is woken",
    "out.integer % 4 != 0 || out.integer >= isthmus_mapped_bytes(of.object)",
    "out.integer % 4 != 0",
    "shims/waiting",
  ),
  bindingArguments(
    "a lock may have any number",
    '{"index", AN_INTEGER, ISTHMUS_LOCK_MAX}',
    '{"index", AN_INTEGER, SAFE_INTEGER_MAX}',
    "shims/objects > arguments of a wrong kind",
  ),
  bindingWait(
    "a bell is set twice",
    'if (state->bell) return refuse_type(of, "setBell", "called once only");',
    "",
    "shims/watching > watching needs a bell",
  ),
];
