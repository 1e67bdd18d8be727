/** Integers of any size as bytes: two's complement, the lowest byte first, in whole bytes. */

/** The bytes of an integer: as few as have its sign, too. */
export function bytesOfInteger(value: bigint): Uint8Array {
  const magnitude = value < 0n ? ~value : value;
  const hex = magnitude.toString(16);
  // One bit more than the magnitude has, for the sign.
  const bytes = (hex.length + 2) >>> 1;
  const whole = BigInt.asUintN(8 * bytes, value)
    .toString(16)
    .padStart(2 * bytes, "0");
  const result = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) result[bytes - 1 - i] = Number.parseInt(whole.slice(2 * i, 2 * i + 2), 16);
  return result;
}

export function integerOfBytes(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${digits.reverse().join("")}`));
}
