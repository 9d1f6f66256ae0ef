import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { crc32c } from './crc32c.ts';

test('the vectors of RFC 3720, B.4', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(ascending), 0x46dd794e);
  assert.equal(crc32c(ascending.toReversed()), 0x113fdb5c);
  const scsiRead = '01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000';
  assert.equal(crc32c(Buffer.from(scsiRead, 'hex')), 0xd9963a56);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
});

test('a checksum can be continued at any byte, and sees every flipped bit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(), (bytes, cut, flip) => {
      const at = bytes.length === 0 ? 0 : cut % (bytes.length + 1);
      const whole = crc32c(bytes, 77);
      assert.equal(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at), 77)), whole);
      if (bytes.length === 0) return;
      const changed = Uint8Array.from(bytes);
      const index = flip % bytes.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << (flip % 8));
      assert.notEqual(crc32c(changed, 77), whole);
    }),
  );
});
