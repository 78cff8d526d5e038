import { beforeEach, describe, expect, test } from 'vitest';
import { Conversation, frame, GDB_13 } from '../conversation.js';
import { FakeTarget, MEMORY_SIZE } from '../fake-target.js';

let conversation: Conversation;

beforeEach(() => {
  conversation = Conversation.open(GDB_13, new FakeTarget());
  conversation.target.memory.write('hello, world\0', 0, 'latin1');
});

test.each([
  { packet: 'm400000,5', reply: '68656c6c6f' },
  { packet: 'm400000,0', reply: '' },
  { packet: 'm401ffe,10', reply: '0000' },
  { packet: 'm402000,4', reply: 'E0e' },
  { packet: 'm3fffff,4', reply: 'E0e' },
  { packet: 'm0,1', reply: 'E0e' },
  { packet: 'mffffffffffffffff,10', reply: 'E0e' },
  { packet: 'm10000000000000000,1', reply: 'E16' },
  { packet: 'm', reply: 'E16' },
  { packet: 'm400000', reply: 'E16' },
  { packet: 'm400000,', reply: 'E16' },
  { packet: 'm400000,1:', reply: 'E16' },
  { packet: 'mxyz,1', reply: 'E16' },
  { packet: 'M400000,3:414243', reply: 'OK' },
  { packet: 'M400000,3:4142', reply: 'E16' },
  { packet: 'M400000,1:4', reply: 'E16' },
  { packet: 'M400000,1:zz', reply: 'E16' },
  { packet: 'M402000,1:00', reply: 'E0e' },
  { packet: 'M401fff,2:0000', reply: 'E0e' },
  { packet: 'X400000,0:', reply: 'OK' },
  { packet: 'X0,0:', reply: 'OK' },
  { packet: 'X400000,2:a', reply: 'E16' },
  { packet: 'X402000,1:a', reply: 'E0e' },
])('$packet -> $reply', ({ packet, reply }) => {
  expect(conversation.ask(packet)).toBe(reply);
});

test('a read of any length gives what fits into a packet', () => {
  const { target } = conversation;
  target.readMemory = (_pid, _address, into) => into.fill(0x5a).length;
  const reply = conversation.ask('m400000,ffffffffffffffff') ?? '';
  expect(reply.length).toBeGreaterThan(0x1_0000);
  expect(reply.length).toBeLessThanOrEqual(0x2_0000);
});

test('M and X write what m reads', () => {
  expect(conversation.ask('M400001,3:414243')).toBe('OK');
  expect(conversation.ask('X400004,5:#$}*\xff')).toBe('OK');
  expect(conversation.ask('m400000,a')).toBe('6841424323247d2aff72');
});

describe('qSearch:memory', () => {
  const search = (start: number, length: number, pattern: string) =>
    conversation.ask(`qSearch:memory:${start.toString(16)};${length.toString(16)};${pattern}`);

  test.each([
    { name: 'found', start: 0x400000, length: 0x100, pattern: 'world', reply: '1,400007' },
    { name: 'not there', start: 0x400000, length: 0x100, pattern: 'xyzzy', reply: '0' },
    { name: 'only partly in the range', start: 0x400000, length: 11, pattern: 'world', reply: '0' },
    { name: 'just in the range', start: 0x400000, length: 12, pattern: 'world', reply: '1,400007' },
    { name: 'longer than the range', start: 0x400000, length: 2, pattern: 'hello', reply: '0' },
    { name: 'escaped bytes', start: 0x400000, length: MEMORY_SIZE, pattern: '}#', reply: '1,401000' },
    { name: 'found before memory ends', start: 0x400000, length: 0x10_0000, pattern: '}#', reply: '1,401000' },
    { name: 'memory ends before', start: 0x400000, length: 0x10_0000, pattern: 'xyzzy', reply: 'E0e' },
    { name: 'no memory', start: 0x10, length: 4, pattern: 'x', reply: 'E0e' },
    { name: 'no pattern', start: 0x400000, length: 4, pattern: '', reply: 'E16' },
  ])('$name', ({ start, length, pattern, reply }) => {
    conversation.target.memory.write('}#', 0x1000, 'latin1');
    expect(search(start, length, pattern)).toBe(reply);
  });

  /** Four megabytes of zeros with a word across the border of the first piece. */
  function big(at: number): void {
    const memory = Buffer.alloc(4 << 20);
    memory.write('needle', at);
    conversation.target.readMemory = (_pid, address, into) => memory.copy(into, 0, Number(address));
  }

  test.each([(1 << 20) - 3, (1 << 20) - 6, 1 << 20, (3 << 20) + 5])(
    'a pattern at %d is found wherever pieces meet',
    (at) => {
      big(at);
      expect(search(0, 4 << 20, 'needle')).toBe(`1,${at.toString(16)}`);
    },
  );

  test('a break ends a long one', () => {
    big((4 << 20) - 6);
    const begun = conversation.raw(frame('qSearch:memory:0;400000;needle'));
    expect(begun).toEqual({ sent: [], actions: [{ kind: 'work' }] });
    expect(conversation.session.work()).toEqual([{ kind: 'work' }]);
    expect(conversation.raw(frame('g')).sent).toEqual([]);
    expect(conversation.raw('\x03').sent).toEqual(['E04']);
    expect(conversation.session.work()).toEqual([]);
    expect(conversation.ask('m0,1')).toBe('00');
  });
});

/** Sums that gdb's own `compare-sections` computes (CRC-32/MPEG-2; its check value of "123456789" is 0376e6e7). */
test.each([
  { packet: 'qCRC:400100,9', reply: 'C376e6e7' },
  { packet: 'qCRC:400100,0', reply: 'Cffffffff' },
  { packet: 'qCRC:401fff,2', reply: 'E0e' },
  { packet: 'qCRC:400100', reply: 'E16' },
])('$packet -> $reply', ({ packet, reply }) => {
  conversation.target.memory.write('123456789', 0x100);
  expect(conversation.ask(packet)).toBe(reply);
});
