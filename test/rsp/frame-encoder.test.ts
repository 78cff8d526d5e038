import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compress, encodeFrame, encodeNotification } from '../../src/rsp/frame-encoder.js';
import { fittingLength, Reply } from '../../src/rsp/reply.js';
import { expand, unescapeBinary, unframe } from './conversation.js';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test.each([
  { body: 'OK', frame: '$OK#9a' },
  { body: '', frame: '$#00' },
  { body: '0000', frame: '$0* #7a' },
  { body: '000', frame: '$000#90' },
])('a reply with body $body', ({ body, frame }) => {
  expect(latin1(encodeFrame(Buffer.from(body), true))).toBe(frame);
});

test('without run-length encoding a body goes out as it is', () => {
  expect(latin1(encodeFrame(Buffer.from('00000000'), false))).toBe('$00000000#80');
});

test('a notification', () => {
  expect(latin1(encodeNotification(Buffer.from('Stop:T05')))).toBe('%Stop:T05#99');
});

/** Repeats are the bytes behind the first one. */
test.each([
  { repeats: 2, text: 'xxx' },
  { repeats: 3, text: 'x* ' },
  { repeats: 6, text: 'x*"x' },
  { repeats: 7, text: 'x*"xx' },
  { repeats: 8, text: 'x*%' },
  { repeats: 14, text: 'x**x' },
  { repeats: 16, text: 'x*,x' },
  { repeats: 97, text: 'x*~' },
  { repeats: 98, text: 'x*~x' },
  { repeats: 102, text: 'x*~x*!' },
])('$repeats repeats, with no `#`, `$`, `+` or `-` as count', ({ repeats, text }) => {
  expect(latin1(compress(Buffer.alloc(repeats + 1, 'x')))).toBe(text);
});

test('any bytes survive escaping, compression and framing', () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 210 })), { maxLength: 8 });
  fc.assert(
    fc.property(runs, fc.boolean(), (list, runLength) => {
      const bytes = Buffer.concat(list.map(([byte, count]) => Buffer.alloc(count, byte)));
      const reply = new Reply();
      reply.text('l').binary(bytes);
      const [body = ''] = unframe(latin1(encodeFrame(reply.body, runLength)));
      expect(unescapeBinary(body)).toBe(`l${latin1(bytes)}`);
    }),
  );
});

test('fittingLength counts escapes', () => {
  expect(fittingLength(Buffer.from('ab#d'), 4)).toBe(3);
  expect(fittingLength(Buffer.from('ab#d'), 5)).toBe(4);
  expect(fittingLength(Buffer.from('####'), 3)).toBe(1);
});

test('expand is the inverse that the tests rely on', () => {
  expect(expand('0* 1*!')).toBe('000011111');
});
