import { expect, test } from 'vitest';
import { Conversation, GDB_13, unescapeBinary } from '../conversation.js';
import { bareTarget } from '../fake-target.js';

test.each([
  { packet: 'qXfer:auxv:read::0,1000', reply: `l${'\0'.repeat(16)}` },
  { packet: 'qXfer:auxv:read:x:0,1000', reply: 'E16' },
  { packet: 'qXfer:auxv:read::10,1000', reply: 'l' },
  { packet: 'qXfer:auxv:read::11,1000', reply: 'E.offset behind the end' },
  { packet: 'qXfer:auxv:read::0,4', reply: `m${'\0'.repeat(4)}` },
  { packet: 'qXfer:auxv:read::c,4', reply: `l${'\0'.repeat(4)}` },
  { packet: 'qXfer:auxv:read::c', reply: expect.stringMatching(/^E\.malformed/) },
  { packet: 'qXfer:auxv:write::0:x', reply: '' },
  { packet: 'qXfer:exec-file:read:1234:0,1000', reply: 'l/bin/prog' },
  { packet: 'qXfer:exec-file:read::0,1000', reply: 'l/bin/prog' },
  { packet: 'qXfer:exec-file:read:99:0,1000', reply: 'E03' },
  { packet: 'qXfer:exec-file:read:zz:0,1000', reply: 'E16' },
  { packet: 'qXfer:features:read:nothing.xml:0,1000', reply: 'E02' },
  { packet: 'qXfer:memory-map:read::0,1000', reply: '' },
  { packet: 'qXfer:osdata:read:nothing:0,1000', reply: 'l' },
  { packet: 'qXfer:siginfo:write::0:ab', reply: '2' },
  { packet: 'qXfer:siginfo:write::7f:ab', reply: 'E16' },
])('$packet', ({ packet, reply }) => {
  expect(Conversation.open(GDB_13).ask(packet)).toEqual(reply);
});

test('a document read in pieces is one and the same, though the target changes meanwhile', () => {
  const conversation = Conversation.open(GDB_13);
  const first = conversation.ask('qXfer:threads:read::0,20') ?? '';
  conversation.target.addThread(0x20);
  let text = first.slice(1);
  for (let piece = first; piece.startsWith('m'); ) {
    piece = conversation.ask(`qXfer:threads:read::${text.length.toString(16)},20`) ?? '';
    text += piece.slice(1);
  }
  expect(text).toBe('<threads>\n<thread id="p1234.1234" core="0" name="prog"/>\n</threads>\n');
  expect(conversation.ask('qXfer:threads:read::0,1000')).toContain('p1234.20');
});

test('bytes that frames cannot hold are escaped', () => {
  const conversation = Conversation.open(GDB_13);
  conversation.target.auxvBytes = Buffer.from('#$}*abc', 'latin1');
  const reply = conversation.ask('qXfer:auxv:read::0,1000') ?? '';
  expect(reply).toBe('l}\x03}\x04}]}\nabc');
  expect(unescapeBinary(reply)).toBe('l#$}*abc');
});

test('a piece never exceeds a packet, escapes included', () => {
  const conversation = Conversation.open(GDB_13, undefined, { runLength: false });
  conversation.target.auxvBytes = Buffer.alloc(0x3_0000, '#');
  const reply = conversation.ask('qXfer:auxv:read::0,ffffffff') ?? '';
  expect(reply.startsWith('m')).toBe(true);
  expect(reply.length).toBeLessThanOrEqual(0x2_0000);
  expect(reply.length).toBeGreaterThan(0x1_ff00);
});

test('siginfo is read and written in place', () => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask('qXfer:siginfo:write::4:\x01#')).toBe('2');
  const reply = unescapeBinary(conversation.ask('qXfer:siginfo:read::0,80') ?? '');
  expect(reply).toHaveLength(129);
  expect(reply.slice(0, 9)).toBe('l\xaa\xaa\xaa\xaa\x01#\xaa\xaa');
});

test('tables of the system', () => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask('qXfer:osdata:read:processes:0,1000')).toBe(
    'l<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "osdata.dtd">\n<osdata type="processes">\n' +
      '<item>\n<column name="pid">1</column>\n<column name="command">a &amp; b</column>\n</item>\n' +
      '<item>\n<column name="pid">2</column>\n<column name="command">c</column>\n</item>\n</osdata>\n',
  );
  const types = conversation.ask('qXfer:osdata:read::0,1000');
  expect(types).toContain('<column name="Type">processes</column>');
  expect(types).toContain('<column name="Title">Processes</column>');
});

test.each(['siginfo', 'osdata'])('a target without %s', (object) => {
  expect(Conversation.open(GDB_13, bareTarget()).ask(`qXfer:${object}:read::0,1000`)).toBe('');
});
