/**
 * When the consumer of a ring looks for records while its producer sends one after the other.
 *
 * A look takes the cache line of the head away from the producer, which then waits for it with its next record. A consumer that
 * is a little faster than its producer, and looks again at once, makes both of them several times slower. So when records come
 * in a stream, and the last look found few of them, the next look comes after a pause, in which several of them arrive.
 *
 * A stream is: several times in succession, a record was there within a few looks. A peer that answers each record takes
 * longer than that. When pauses bring one record only, nobody sends meanwhile: both ends may be on one thread. Then the
 * consumer does without them, twice as long each time.
 */

/** So many records within a few looks are a stream. The first pause that brings one record only takes them off. */
const STREAM = 4;
const STREAM_MAX = 2 * STREAM;
/** Records after which pauses are tried again when they had brought nothing. */
const DOUBT_MIN = 64;
const DOUBT_MAX = 4096;
/** Looks that find nothing before one that finds a record, in a stream. */
const LOOKS_MAX = 3;
/** With more bytes than this since the last look, the consumer looks seldom enough. */
const FEW_BYTES = 1024;
/** Turns of the loop of a pause, which then takes half a microsecond. No engine has an instruction for that yet. */
const PAUSE_TURNS = 400;

let result = 0;

function pauseThread(): void {
  let turns = result;
  for (let turn = 0; turn < PAUSE_TURNS; turn++) turns = Math.imul(turns + turn, 3);
  result = turns; // so that no engine leaves the loop out
}

export class Pace {
  readonly #pause: () => void;
  /** Looks that found nothing since the last record. */
  #looks = 0;
  /** How surely there is a stream, up to STREAM_MAX; below 0, pauses have brought nothing. */
  #stream = 0;
  #doubt = DOUBT_MIN;
  #paused = false;
  /** The low half of the position of the last look. */
  #position: number;

  constructor(position: number, pause: () => void = pauseThread) {
    this.#position = position;
    this.#pause = pause;
  }

  /** Right before the core looks at the head: everything before this position, of which this is the low half, was taken. */
  look(position: number): void {
    const bytes = (position - this.#position) >>> 0;
    this.#position = position;
    if (this.#stream < STREAM || bytes === 0 || bytes > FEW_BYTES) return;
    this.#paused = true;
    this.#pause();
  }

  /** The look has found a record, and perhaps `more` behind it. */
  found(more: boolean): void {
    this.#looks = 0;
    if (this.#stream < STREAM) this.#stream++;
    else if (this.#paused && more) {
      this.#stream = STREAM_MAX;
      this.#doubt = DOUBT_MIN;
    } else if (this.#paused && this.#stream > STREAM) this.#stream -= STREAM;
    else if (this.#paused) {
      this.#stream = -this.#doubt;
      this.#doubt = Math.min(2 * this.#doubt, DOUBT_MAX);
    }
    this.#paused = false;
  }

  /** The look has found nothing. */
  missed(): void {
    if (++this.#looks > LOOKS_MAX) this.#stream = Math.min(this.#stream, 0);
  }
}
