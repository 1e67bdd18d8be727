/** Numbers from the command line, and what follows from them. */

/** The text of an option as a whole number. */
export function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new RangeError(`--${option} must be a whole number from 1 on, got ${JSON.stringify(text)}`);
}

/** Places in a segment for so many workers and the process that starts them: a multiple of 64. */
export function participantsFor(workers: number): number {
  return Math.ceil((workers + 1) / 64) * 64;
}
