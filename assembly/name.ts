/**
 * Names of objects, and the hashes in the directory. The rules are in the core, so that every host finds an object by the same
 * bytes. If two hosts computed different hashes for a name, they would make two objects of that name.
 *
 * A name is 1 to OBJECT_NAME_BYTES_MAX bytes of well-formed UTF-8 (no surrogates, nothing overlong) without NUL. Names are
 * compared byte for byte, without normalisation. The names of descriptions of layouts begin with NUL, so they differ from all
 * names of users.
 *
 * Source of the hash: FNV-1a of Fowler, Noll and Vo, 32 bits. Of well-formed UTF-8: table 3-7 of the Unicode standard.
 */
import { OBJECT_NAME_BYTES_MAX } from "../protocol/limits";

const FNV_BASIS: u32 = 0x811c9dc5;
const FNV_PRIME: u32 = 0x01000193;

/** Whether the bytes are the name of an object, or of a description. */
export function isName(at: usize, bytes: u32, ofDescription: bool): bool {
  if (bytes == 0 || bytes > u32(OBJECT_NAME_BYTES_MAX)) return false;
  if (!ofDescription) return isText(at, bytes);
  return load<u8>(at) == 0 && isText(at + 1, bytes - 1);
}

/** Whether the bytes are well-formed UTF-8 without NUL. */
function isText(at: usize, bytes: u32): bool {
  for (let index: u32 = 0; index < bytes; ) {
    const length = characterBytes(at + index, bytes - index);
    if (length == 0) return false;
    index += length;
  }
  return true;
}

/** Bytes of the character at an offset, 1 to 4; 0 if there is no well-formed character, or NUL. */
function characterBytes(at: usize, available: u32): u32 {
  const first: u32 = load<u8>(at);
  if (first < 0x80) return u32(first != 0);
  const more: u32 = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  if (first < 0xc2 || first > 0xf4 || more >= available) return 0;
  const second: u32 = load<u8>(at + 1);
  const least: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const most: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let index: u32 = 2; index <= more; index++) {
    if ((load<u8>(at + index) & 0xc0) != 0x80) return 0;
  }
  return more + 1;
}

/** FNV-1a of the name. */
export function nameHash(at: usize, bytes: u32): u32 {
  let hash = FNV_BASIS;
  for (let index: u32 = 0; index < bytes; index++) hash = (hash ^ load<u8>(at + index)) * FNV_PRIME;
  return hash;
}

/** FNV-1a of type, version and the four parameters, as little-endian words. */
export function parametersHash(
  type: u32,
  version: u32,
  first: u32,
  second: u32,
  third: u32,
  fourth: u32,
): u32 {
  let hash = hashWord(FNV_BASIS, type);
  hash = hashWord(hash, version);
  hash = hashWord(hash, first);
  hash = hashWord(hash, second);
  hash = hashWord(hash, third);
  return hashWord(hash, fourth);
}

function hashWord(hash: u32, word: u32): u32 {
  for (let shift: u32 = 0; shift < 32; shift += 8) hash = (hash ^ ((word >>> shift) & 0xff)) * FNV_PRIME;
  return hash;
}
