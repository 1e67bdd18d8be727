import { nowNs } from "../host/runtime.js";
import { soon } from "../host/under-way.js";

/** After this many records, the time of sending is written again, also within one burst. */
const STAMP_RECORDS = 64;

/** Writes the time of the last send: with the first record of each turn of microtasks, and again after so many records. */
export class Stamp {
  /** Records until the time must be written again. */
  records = 0;
  /** The end was given back: the time is not written any more. */
  ended = false;
  readonly #store: (nowNs: number) => void;
  #turn = false;

  constructor(store: (nowNs: number) => void) {
    this.#store = store;
  }

  write(): void {
    if (this.ended) return;
    this.#store(nowNs());
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
