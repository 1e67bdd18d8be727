/**
 * What all copies of the package in one thread share. There may be two releases in one tree, or one release in several realms,
 * as test frameworks make them. They share objects of the runtime's own realm, so that no copy keeps another one alive, and a
 * copy that has closed everything is collected.
 */
import type { EventEmitter } from "node:events";
import { builtin } from "./builtin.cjs";

export type { EventEmitter };

/** An emitter of the runtime's own realm. Each copy may have a listener. */
export function emitter(): EventEmitter {
  const { EventEmitter } = builtin("node:events");
  return new EventEmitter().setMaxListeners(0);
}

const EXIT = Symbol.for("isthmus.exit");

interface Exit extends EventEmitter {
  /** The listener of `process`: it emits "exit". */
  listener: (...given: unknown[]) => void;
}

function exit(): Exit {
  const shared = builtin("node:process") as unknown as { [EXIT]?: Exit };
  const known = shared[EXIT];
  if (known) return known;
  const made = emitter() as Exit;
  made.listener = made.emit.bind(made, "exit");
  Object.defineProperty(shared, EXIT, { value: made });
  return made;
}

/**
 * Calls back when this environment ends by itself, unless `offExit` is called first. `process` has one listener for all copies,
 * and none while no copy needs it.
 */
export function onExit(callback: () => void): void {
  const callbacks = exit();
  if (callbacks.listenerCount("exit") === 0) builtin("node:process").on("exit", callbacks.listener);
  callbacks.on("exit", callback);
}

export function offExit(callback: () => void): void {
  const callbacks = exit();
  callbacks.off("exit", callback);
  if (callbacks.listenerCount("exit") === 0) builtin("node:process").off("exit", callbacks.listener);
}
