/**
 * Waits whose condition must be checked soon: in the next microtask (the wait before them in the queue has ended, or this
 * thread has changed something), or in the next turn of the event loop. Checking many takes long, so it stops when the event
 * loop needs a turn, and continues in the next one.
 */
import { Queue } from "./queue.js";
import { askForTurn, inEachTurn, turnIsDue } from "./turn.js";

/** An object with a condition to check; see `Wait`. */
interface Looker {
  look(): void;
  joinGroup(): void;
}

const soon = new Queue<Looker>();
const later = new Queue<Looker>();
let scheduled = false;
/** Its reactions are microtasks, which test frameworks do not replace. */
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

/** Checks up to so many of them, until a turn is due. */
function lookAt(queue: Queue<Looker>, count: number): void {
  for (let looked = 0; looked < count && !turnIsDue(); looked++) {
    const one = queue.shift();
    if (!one) return;
    one.look();
    one.joinGroup();
  }
}
