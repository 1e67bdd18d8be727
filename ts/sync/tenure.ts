/** Tenures: what one opener counts of the holds of a lock. See `lock-state.ts`. */

/** exclusive: there is no other holder; shared: there may be other shared holders. */
export type LockMode = "exclusive" | "shared";

/**
 * @internal A hold that was acquired from the lock itself, with all holds that are nested in it: the number of open holds of
 *   each mode.
 */
export class Tenure {
  exclusive = 0;
  shared = 0;
  /** Number of calls that currently want this tenure to be exclusive. */
  upgrades = 0;
  /** No hold of it is open, and it counts no more. */
  ended = false;

  /** One hold of that mode more. */
  count(mode: LockMode): void {
    if (mode === "exclusive") this.exclusive++;
    else this.shared++;
  }

  /** One hold of that mode, which was one of the other. */
  move(mode: LockMode): void {
    const change = mode === "exclusive" ? 1 : -1;
    this.exclusive += change;
    this.shared -= change;
  }
}
