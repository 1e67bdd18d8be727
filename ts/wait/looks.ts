/**
 * Waits that are due for a look: in the next microtask (the one before them in their queue has ended, or this thread has changed
 * something), or in the next turn of the event loop. Serving many takes long, so it stops when the event loop needs a turn and
 * goes on in the next one.
 */
import { Queue } from "./queue.js";
import { askForTurn, inEachTurn, turnIsDue } from "./turn.js";

/** What can be looked at; see `Wait`. */
interface Looker {
  look(): void;
  joinGroup(): void;
}

const soon = new Queue<Looker>();
const later = new Queue<Looker>();
let scheduled = false;
/** Its reactions are microtasks that no test framework replaces. */
const resolved = Promise.resolve();

export function lookSoon(one: Looker): void {
  soon.push(one);
  if (scheduled) return;
  scheduled = true;
  void resolved.then(lookNow);
}

export function lookNextTurn(one: Looker): void {
  later.push(one);
  askForTurn();
}

function lookNow(): void {
  scheduled = false;
  lookAt(soon, Infinity);
  for (let one = soon.shift(); one; one = soon.shift()) later.push(one);
  if (later.length > 0) askForTurn();
}

inEachTurn(() => {
  lookAt(later, later.length);
  if (later.length > 0) askForTurn();
});

/** Looks at so many of them, or until a turn is due. */
function lookAt(queue: Queue<Looker>, count: number): void {
  for (let looked = 0; looked < count && !turnIsDue(); looked++) {
    const one = queue.shift();
    if (!one) return;
    one.look();
    one.joinGroup();
  }
}
