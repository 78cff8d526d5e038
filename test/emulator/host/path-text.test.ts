import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pathBytes, pathText } from '../../../src/emulator/host/path-text.js';

test.each([
  { name: 'ASCII', bytes: [0x2f, 0x61], text: '/a' },
  { name: 'UTF-8', bytes: [0xc3, 0xa4, 0xf0, 0x9f, 0x98, 0x80], text: 'ä😀' },
  { name: 'a stray byte', bytes: [0x61, 0xff, 0x62], text: 'a\udcffb' },
  { name: 'a character cut short', bytes: [0xe2, 0x82], text: '\udce2\udc82' },
  { name: 'an encoded surrogate', bytes: [0xed, 0xb2, 0x80], text: '\udced\udcb2\udc80' },
  { name: 'a byte order mark', bytes: [0xef, 0xbb, 0xbf], text: '\ufeff' },
])('a path is text: $name', ({ bytes, text }) => {
  expect(pathText(Uint8Array.from(bytes))).toBe(text);
  expect([...pathBytes(text)]).toEqual(bytes);
});

test('every name survives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect([...pathBytes(pathText(bytes))]).toEqual([...bytes]);
    }),
  );
});
