// CRC-32C (Castagnoli; RFC 3720 appendix B.4 has vectors), eight bytes a step over tables. Node's own zlib.crc32 is the
// other polynomial; Castagnoli detects more of the errors that disks make and is what storage formats use.

const polynomialReflected = 0x82f63b78;
const tables = makeTables();

/**
 * The checksum of bytes, unsigned 32 bit. `previous` continues a checksum: `crc32c(b, crc32c(a))` is that of `a` and `b`
 * joined; any other start value makes a checksum that only who knows the value can match.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const table = tables;
  const end = bytes.length;
  const wholeEnd = end - 7;
  let crc = ~previous;
  let at = 0;
  for (; at < wholeEnd; at += 8) {
    crc =
      table[1792 | ((crc ^ bytes[at]!) & 255)]! ^
      table[1536 | (((crc >>> 8) ^ bytes[at + 1]!) & 255)]! ^
      table[1280 | (((crc >>> 16) ^ bytes[at + 2]!) & 255)]! ^
      table[1024 | ((crc >>> 24) ^ bytes[at + 3]!)]! ^
      table[768 | bytes[at + 4]!]! ^
      table[512 | bytes[at + 5]!]! ^
      table[256 | bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}

/** Table k, at index 256 k, is the effect of a byte that is followed by k zero bytes. */
function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomialReflected : crc >>> 1;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256]!;
    made[at] = (before >>> 8) ^ made[before & 255]!;
  }
  return made;
}
