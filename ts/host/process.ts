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

/**
 * Calls the function outside of every `AsyncLocalStorage`. What the runtime makes meanwhile would otherwise keep the stores of
 * the code that runs now, as long as it exists, and with them whatever they refer to (for instance the realm of a test in Jest).
 *
 * There is no function for that. But a resource refers to its stores by symbols, and so to the frame that has them in Node 24.
 */
export function withoutStores(call: () => void): void {
  const { AsyncResource } = builtin("node:async_hooks");
  const resource = new AsyncResource("isthmus");
  const properties = resource as unknown as Record<symbol, unknown>;
  for (const key of Object.getOwnPropertySymbols(resource)) {
    if (typeof properties[key] === "object") properties[key] = undefined;
  }
  resource.runInAsyncScope(call);
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
