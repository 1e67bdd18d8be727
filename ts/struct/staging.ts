import type { Codec } from "./codecs.js";

/** The memory of a value larger than this is not kept for the next value. Bytes. */
const KEPT_BYTES_MAX = 65536;

/** Private memory that holds a value. */
export interface Staged {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Writes values of one type to private memory, before any shared memory changes. Getters of a value run meanwhile, and may
 * throw, write, or close the segment. So the caller checks again before it copies the bytes.
 */
export class Staging {
  readonly #codec: Codec;
  /**
   * Memory for the next value. There is none while a getter of a value runs, because the getter may write a value of the same
   * type.
   */
  #idle: Staged | undefined;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /**
   * The bytes of a value.
   *
   * @param path names the value in errors
   * @returns memory, which the caller passes to `done` after it has copied the bytes
   */
  stage(value: unknown, path: string): Staged {
    const staged = this.#idle ?? this.#allocate();
    this.#idle = undefined;
    this.#codec.write(staged.view, 0, value, path);
    return staged;
  }

  #allocate(): Staged {
    const bytes = new Uint8Array(this.#codec.bytes);
    return { bytes, view: new DataView(bytes.buffer) };
  }

  /** The bytes were copied: keeps the memory for the next value. */
  done(staged: Staged): void {
    if (staged.bytes.length <= KEPT_BYTES_MAX) this.#idle = staged;
  }
}
