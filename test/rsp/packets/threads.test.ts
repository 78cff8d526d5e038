import { describe, expect, test } from 'vitest';
import { parseDisabledPackets } from '../../../src/rsp/session-types.js';
import { Conversation, GDB_13 } from '../conversation.js';
import { FakeTarget } from '../fake-target.js';

function threads(): FakeTarget {
  const target = new FakeTarget();
  target.addThread(0x20, { name: 'a<b&"c"' });
  target.addProcess(0x50);
  return target;
}

const hex = (text: string): string => Buffer.from(text).toString('hex');

test.each([
  { packet: 'qC', reply: 'QCp1234.1234' },
  { packet: 'Hgp1234.20', reply: 'OK' },
  { packet: 'Hgp0.0', reply: 'OK' },
  { packet: 'Hg0', reply: 'OK' },
  { packet: 'Hg-1', reply: 'OK' },
  { packet: 'Hgp50.-1', reply: 'OK' },
  { packet: 'Hgp50', reply: 'OK' },
  { packet: 'Hg20', reply: 'OK' },
  { packet: 'Hgp1234.50', reply: 'E03' },
  { packet: 'Hgp99.1', reply: 'E03' },
  { packet: 'Hg-2', reply: 'E16' },
  { packet: 'Hx0', reply: 'E16' },
  { packet: 'H', reply: 'E16' },
  { packet: 'Hc-1', reply: 'OK' },
  { packet: 'Hcp1234.20', reply: 'OK' },
  { packet: 'Hcp99.1', reply: 'E03' },
  { packet: 'Tp1234.20', reply: 'OK' },
  { packet: 'Tp1234.21', reply: 'E03' },
  { packet: 'T', reply: 'E16' },
  { packet: 'qfThreadInfo', reply: 'mp1234.1234,p1234.20,p50.50' },
  { packet: 'qThreadExtraInfo,p1234.20', reply: hex('a<b&"c"') },
  { packet: 'qThreadExtraInfo,p1234.21', reply: 'E16' },
  { packet: 'qGetTLSAddr:p1234.20,10,7000', reply: '20010' },
  { packet: 'qGetTLSAddr:p1234.20,10,7001', reply: 'E16' },
  { packet: 'qGetTLSAddr:p1234.21,10,7000', reply: 'E03' },
  { packet: 'qP0000001f0000000000000001', reply: '' },
  { packet: 'qL1200000000000000000', reply: '' },
])('$packet -> $reply', ({ packet, reply }) => {
  expect(Conversation.open(GDB_13, threads()).ask(packet)).toBe(reply);
});

test('without the multiprocess feature ids are threads only', () => {
  const conversation = Conversation.open('swbreak+', threads());
  expect(conversation.ask('qC')).toBe('QC1234');
  expect(conversation.ask('qfThreadInfo')).toBe('m1234,20,50');
  expect(conversation.ask('Hg50')).toBe('OK');
  expect(conversation.ask('qC')).toBe('QC50');
});

test('"any thread" keeps the chosen one while it lives', () => {
  const target = threads();
  const conversation = Conversation.open(GDB_13, target);
  conversation.ask('Hgp1234.20');
  conversation.ask('Hgp0.0');
  expect(conversation.ask('qC')).toBe('QCp1234.20');
  conversation.ask('Hgp1234.0');
  expect(conversation.ask('qC')).toBe('QCp1234.20');
  conversation.ask('Hgp50.0');
  expect(conversation.ask('qC')).toBe('QCp50.50');
  target.list = target.list.filter(({ tid }) => tid !== 0x50);
  expect(conversation.ask('qC')).toBe('QCp1234.1234');
});

test('a list that is longer than a packet comes in parts', () => {
  const target = new FakeTarget();
  for (let tid = 0x10_0000; tid < 0x10_0000 + 10_000; tid++) target.addThread(tid);
  const conversation = Conversation.open(GDB_13, target);
  const parts = [conversation.ask('qfThreadInfo')];
  while (parts.at(-1) !== 'l' && parts.length < 10) parts.push(conversation.ask('qsThreadInfo'));
  expect(parts.at(-1)).toBe('l');
  const ids = parts.slice(0, -1).flatMap((part) => (part ?? '').slice(1).split(','));
  expect(parts.length).toBeGreaterThan(2);
  expect(new Set(ids).size).toBe(10_001);
});

test('the thread document names and escapes', () => {
  expect(Conversation.open(GDB_13, threads()).ask('qXfer:threads:read::0,1000')).toBe(
    'l<threads>\n' +
      '<thread id="p1234.1234" core="0" name="prog"/>\n' +
      '<thread id="p1234.20" core="1" name="a&lt;b&amp;&quot;c&quot;"/>\n' +
      '<thread id="p50.50" core="1" name="child80"/>\n' +
      '</threads>\n',
  );
});

describe('--disable-packet', () => {
  test.each([
    { list: 'vCont', hidden: ['vCont?', 'vCont;c'] },
    { list: 'qC', hidden: ['qC'] },
    { list: 'qfThreadInfo', hidden: ['qfThreadInfo', 'qsThreadInfo'] },
    { list: 'threads', hidden: ['qC', 'qfThreadInfo'] },
    { list: 'T,qC', hidden: ['qC'] },
  ])('$list', ({ list, hidden }) => {
    const disabled = parseDisabledPackets(list);
    const conversation = Conversation.open(GDB_13, threads(), disabled && { disabled });
    for (const packet of hidden) expect(conversation.ask(packet), packet).toBe('');
  });

  test('an unknown name is refused', () => {
    expect(parseDisabledPackets('vCont,nonsense')).toBeUndefined();
  });

  test('T gives S stop replies, Tthread leaves out the thread', () => {
    const reply = (list: string) => {
      const disabled = parseDisabledPackets(list);
      return Conversation.open(GDB_13, threads(), disabled && { disabled }).ask('?');
    };
    expect(reply('T')).toBe('S05');
    expect(reply('Tthread')).not.toContain('thread:');
    expect(reply('vCont')).toContain('thread:p1234.1234;');
  });
});
