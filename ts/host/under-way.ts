/**
 * What is under way outside of the core, and what puts it in order if it is cut off: by an engine that is told to stop the script
 * (a time limit of `vm`), which skips every `finally`, or by a full stack, where a `finally` may overflow, too. Else an object
 * would stay open, or locked, with nobody who knows of it.
 *
 *  1. `begins` notes whose undertaking it is, and what puts it in order; that function can be called again and again
 *  2. the undertaking
 *  3. `ends`
 *
 * | cut off   | what is left                          | put in order by                                          |
 * | --------- | ------------------------------------- | -------------------------------------------------------- |
 * | before 1  | nothing                               |                                                          |
 * | in 2      | the note, and what was begun          | the next opening of a segment; when the stack is empty   |
 * | settling  | the note stays, until that has ended  | the same                                                 |
 *
 * An engine stops a script where a function or a turn of a loop begins. So what follows a call of the shim in the same statement,
 * and plain stores one after the other, are never torn apart.
 */

/** Whose undertakings they are, and what puts them in order. */
export const underWay = new Map<object, () => void>();
const settled = Promise.resolve();
let asked = false;

/** Calls back in a microtask; test frameworks replace `queueMicrotask`, and some realms have none. */
export function soon(callback: () => void): void {
  void settled.then(callback);
}

/** From now on until `ends`, that function puts in order what was cut off. A later one of the same owner takes its place. */
export function begins(owner: object, settle: () => void): void {
  if (!asked) {
    soon(() => {
      asked = false;
      settleAll();
    });
  }
  asked = true;
  underWay.set(owner, settle);
}

export function ends(owner: object): void {
  underWay.delete(owner);
}

export function isUnderWay(owner: object): boolean {
  return underWay.has(owner);
}

/**
 * Puts everything in order that was cut off. Nothing of the kind may be on the stack: the caller is about to open a segment,
 * which no undertaking does in its middle, or the stack is empty.
 */
export function settleAll(): void {
  for (const [owner, settle] of [...underWay]) {
    try {
      settle();
    } catch {
      // What cannot be put in order now goes with the process.
      ends(owner);
    }
  }
}
