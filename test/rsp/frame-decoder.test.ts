import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameDecoder } from '../../src/rsp/frame-decoder.js';
import { escapeBody, frame } from './conversation.js';

const LIMIT = 64;

function decode(chunks: readonly string[], decoder = new FrameDecoder(LIMIT)): string[] {
  const seen: string[] = [];
  const sink = {
    packet: (body: Uint8Array, intact: boolean) =>
      void seen.push(`${intact ? '' : 'bad:'}${Buffer.from(body).toString('latin1')}`),
    oversized: () => void seen.push('OVERSIZED'),
    ack: () => void seen.push('ACK'),
    nak: () => void seen.push('NAK'),
    break: () => void seen.push('BREAK'),
  };
  for (const chunk of chunks) decoder.push(Buffer.from(chunk, 'latin1'), sink);
  return seen;
}

const LONG = 'x'.repeat(LIMIT + 1);

test.each([
  { name: 'whole', chunks: ['$m10,4#2e'], seen: ['m10,4'] },
  { name: 'cut anywhere', chunks: ['$m1', '0,4#', '2', 'e'], seen: ['m10,4'] },
  { name: 'several in one chunk', chunks: ['+$g#67+$?#3f'], seen: ['ACK', 'g', 'ACK', '?'] },
  { name: 'empty', chunks: ['$#00'], seen: [''] },
  { name: 'escaped byte', chunks: [frame('X0,1:}\x03')], seen: ['X0,1:#'] },
  { name: 'escape cut off by the end', chunks: [frame('X}')], seen: ['X'] },
  { name: 'bytes above 127', chunks: [frame('X0,2:\xff\x80')], seen: ['X0,2:\xff\x80'] },
  { name: 'break between packets', chunks: ['$g#67\x03\x03'], seen: ['g', 'BREAK', 'BREAK'] },
  { name: '0x03 inside a packet is data', chunks: [frame('X0,1:\x03')], seen: ['X0,1:\x03'] },
  { name: 'upper-case checksum', chunks: ['$m10,4#2E'], seen: ['m10,4'] },
  { name: 'wrong checksum', chunks: ['$m10,4#2f$g#67'], seen: ['bad:m10,4', 'g'] },
  { name: 'checksum that is no number', chunks: ['$g#zz'], seen: ['bad:g'] },
  { name: 'junk between packets', chunks: ['GET / HTTP$g#67\r\n}##$?#3f'], seen: ['g', '?'] },
  { name: 'a packet cut off by the next', chunks: ['$m10,', '$g#67'], seen: ['g'] },
  { name: 'cut off in an escape', chunks: ['$X}', '$g#67'], seen: ['g'] },
  { name: 'NAK', chunks: ['-'], seen: ['NAK'] },
  { name: 'as long as allowed', chunks: [frame('x'.repeat(LIMIT))], seen: ['x'.repeat(LIMIT)] },
  { name: 'too long, said once', chunks: [frame(LONG + LONG), '$g#67'], seen: ['OVERSIZED', 'g'] },
  { name: 'too long, cut off by the next', chunks: [`$${LONG}$g#67`], seen: ['OVERSIZED', 'g'] },
])('frame decoder: $name', ({ chunks, seen }) => {
  expect(decode(chunks)).toEqual(seen);
});

test.each([
  { bytes: '', unfinished: undefined },
  { bytes: '$g#67', unfinished: undefined },
  { bytes: 'junk', unfinished: undefined },
  { bytes: '$', unfinished: 1 },
  { bytes: '$m10', unfinished: 1 },
  { bytes: '$m10#', unfinished: 1 },
  { bytes: '$m10#1', unfinished: 1 },
  { bytes: '$g#67$m', unfinished: 2 },
  { bytes: `$${LONG}`, unfinished: 1 },
])('the packet that is unfinished after $bytes', ({ bytes, unfinished }) => {
  const decoder = new FrameDecoder(LIMIT);
  decode([bytes], decoder);
  expect(decoder.unfinished).toBe(unfinished);
});

const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: LIMIT });
const latin1 = (values: readonly number[]): string => Buffer.from(values).toString('latin1');

/** A stream cut at random places. */
function cut(stream: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => stream.slice(from, at[i] ?? stream.length));
}

test('any bodies, cut anywhere, come out as they went in', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 10 }), (bodies, places) => {
      const stream = bodies.map((body) => frame(escapeBody(latin1(body)))).join('+');
      const expected = bodies.flatMap((body, i) => (i === 0 ? [latin1(body)] : ['ACK', latin1(body)]));
      expect(decode(cut(stream, places))).toEqual(expected);
    }),
  );
});

test('how any bytes are cut makes no difference, and a packet after a clean end is found', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 10 }), (junk, places) => {
      const stream = `${junk.map(latin1).join('$')}#00${frame('g')}`;
      const whole = decode([stream]);
      expect(decode(cut(stream, places))).toEqual(whole);
      expect(whole.at(-1)).toBe('g');
    }),
  );
});
