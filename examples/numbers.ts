/** Numbers from the command line. */

/** The text of an option as a whole number. */
export function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new RangeError(`--${option} must be a whole number from 1 on, got ${JSON.stringify(text)}`);
}
