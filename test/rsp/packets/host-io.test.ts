import { describe, expect, test } from 'vitest';
import { fileIoErrno } from '../../../src/rsp/file-io.js';
import { Conversation, GDB_13, unescapeBinary } from '../conversation.js';
import { bareTarget } from '../fake-target.js';

const hex = (text: string): string => Buffer.from(text).toString('hex');
const PROG = hex('/bin/prog');

describe('opening', () => {
  test.each([
    { name: 'gdb’s probe', packet: `vFile:open:${hex('just probing')},0,1c0`, reply: 'F-1,2' },
    { name: 'a file', packet: `vFile:open:${PROG},0,0`, reply: 'F0', call: 'open /bin/prog of server read' },
    { name: 'for both', packet: `vFile:open:${PROG},2,0`, reply: 'F0', call: 'open /bin/prog of server both' },
    {
      name: 'a new one',
      packet: `vFile:open:${hex('/n')},601,1a4`,
      reply: 'F0',
      call: 'open /n of server write create',
    },
    { name: 'an access that does not exist', packet: `vFile:open:${PROG},3,0`, reply: 'F-1,16' },
    { name: 'unknown flags', packet: `vFile:open:${PROG},4000,0`, reply: 'F-1,16' },
    { name: 'no mode', packet: `vFile:open:${PROG},0`, reply: 'F-1,16' },
    { name: 'half a digit', packet: 'vFile:open:2,0,0', reply: 'F-1,16' },
  ])('$name', ({ packet, reply, call }) => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.ask(packet)).toBe(reply);
    if (call !== undefined) expect(conversation.target.calls).toEqual([call]);
  });

  test('in the view of a process', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.ask('vFile:setfs:1234')).toBe('F0');
    conversation.ask(`vFile:open:${PROG},0,0`);
    expect(conversation.ask('vFile:setfs:0')).toBe('F0');
    conversation.ask(`vFile:open:${PROG},0,0`);
    expect(conversation.target.calls).toEqual(['open /bin/prog of 4660 read', 'open /bin/prog of server read']);
  });

  test('64 files at most, and a closed one makes room', () => {
    const conversation = Conversation.open(GDB_13);
    for (let i = 0; i < 64; i++) expect(conversation.ask(`vFile:open:${PROG},0,0`)).toBe(`F${i.toString(16)}`);
    expect(conversation.ask(`vFile:open:${PROG},0,0`)).toBe('F-1,18');
    expect(conversation.ask('vFile:close:5')).toBe('F0');
    expect(conversation.ask(`vFile:open:${PROG},0,0`)).toBe('F5');
  });
});

describe('an open file', () => {
  function open(path = '/bin/prog'): Conversation {
    const conversation = Conversation.open(GDB_13);
    conversation.ask(`vFile:open:${hex(path)},202,1a4`);
    return conversation;
  }

  test.each([
    { packet: 'vFile:pread:0,4,0', reply: 'F4;\x7fELF' },
    { packet: 'vFile:pread:0,1000,a', reply: 'F4;o on' },
    { packet: 'vFile:pread:0,1000,f', reply: 'F0;' },
    { packet: 'vFile:pread:0,0,0', reply: 'F0;' },
    { packet: 'vFile:pread:1,4,0', reply: 'F-1,9' },
    { packet: 'vFile:pread:0,4', reply: 'F-1,16' },
    { packet: 'vFile:pwrite:0,0,x', reply: 'F-1,9' },
    { packet: 'vFile:fstat:1', reply: 'F-1,9' },
    { packet: 'vFile:close:1', reply: 'F-1,9' },
    { packet: 'vFile:close:0', reply: 'F0' },
    { packet: `vFile:unlink:${hex('/none')}`, reply: 'F-1,2' },
    { packet: `vFile:unlink:${PROG}`, reply: 'F0' },
    { packet: `vFile:readlink:${hex('/proc/4660/exe')}`, reply: 'F9;/bin/prog' },
    { packet: `vFile:readlink:${PROG}`, reply: 'F-1,2' },
    { packet: 'vFile:stat:2f', reply: '' },
    { packet: 'vFile', reply: '' },
  ])('$packet -> $reply', ({ packet, reply }) => {
    expect(open().ask(packet)).toBe(reply);
  });

  test('is written and read with bytes of any value', () => {
    const conversation = open('/new');
    expect(conversation.ask('vFile:pwrite:0,0,a#$}*\xff')).toBe('F6');
    expect(conversation.ask('vFile:pwrite:0,6,\0')).toBe('F1');
    expect(unescapeBinary(conversation.ask('vFile:pread:0,20,0') ?? '')).toBe('F7;a#$}*\xff\0');
  });

  test('tells its status in 64 bytes, big-endian', () => {
    const body = unescapeBinary(open().ask('vFile:fstat:0') ?? '');
    expect(body.slice(0, 4)).toBe('F40;');
    const stat = Buffer.from(body.slice(4), 'latin1');
    expect(stat).toHaveLength(64);
    expect(stat.readUInt32BE(8)).toBe(0o100644);
    expect(stat.readBigUInt64BE(28)).toBe(14n);
    expect(stat.readUInt32BE(60)).toBe(3);
  });
});

test.each([
  { linux: 2, fileIo: 2 },
  { linux: 36, fileIo: 91 },
  { linux: 38, fileIo: 88 },
  { linux: 40, fileIo: 9999 },
])('errno $linux is $fileIo in File-I/O', ({ linux, fileIo }) => {
  expect(fileIoErrno(linux)).toBe(fileIo);
});

test('a target without files', () => {
  expect(Conversation.open(GDB_13, bareTarget()).ask('vFile:open:00,0,0')).toBe('');
});
