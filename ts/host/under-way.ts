/**
 * Work outside of the core that is not finished yet, and the functions that finish it or take it back if it is cut off. An
 * engine that stops the script (a time limit of `vm`) skips every `finally`, and with a full stack, a `finally` may overflow,
 * too. Without this file, an object would stay open or locked, and no code would know of it.
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
 * An engine stops a script only where a function or a turn of a loop begins. So a call of the shim and the rest of its
 * statement always run together, and so do plain stores that follow each other.
 */

/** The owners of the unfinished work, and the function that settles each. */
export const underWay = new Map<object, () => void>();
const settled = Promise.resolve();
let asked = false;

/** Calls back in a microtask; test frameworks replace `queueMicrotask`, and some realms have none. */
export function soon(callback: () => void): void {
  void settled.then(callback);
}

/** From now on until `ends`, that function settles what was cut off. A later function of the same owner replaces it. */
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
 * Finishes or takes back everything that was cut off. No such work may be on the stack: either the stack is empty, or the
 * caller is about to open a segment, which no such work does in the middle.
 */
export function settleAll(): void {
  for (const [owner, settle] of [...underWay]) {
    try {
      settle();
    } catch {
      // What cannot be settled now ends with the process.
      ends(owner);
    }
  }
}
