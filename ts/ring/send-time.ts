import type { Core } from "../core.js";
import { nowNs } from "../host/runtime.js";
import { soon } from "../host/under-way.js";

/** After this many records the time of sending is written anew, also within one burst. */
const STAMP_RECORDS = 64;

/** When a ring was last sent to: written with the first record of each turn of microtasks, and every so many records. */
export class Stamp {
  /** Records that may still be sent before it is due. */
  records = 0;
  /** The producer's end was given back: nothing is written any more. */
  ended = false;
  readonly #core: Core;
  readonly #ring: number;
  #turn = false;

  constructor(core: Core, ring: number) {
    this.#core = core;
    this.#ring = ring;
  }

  write(): void {
    if (this.ended) return;
    this.#core.ringStamp(this.#ring, nowNs());
    if (!this.#turn) {
      this.#turn = true;
      soon(this.#turned);
    }
    this.records = STAMP_RECORDS;
  }

  readonly #turned = (): void => {
    this.#turn = false;
    this.records = 0;
  };
}
