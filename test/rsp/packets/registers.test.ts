import { describe, expect, test } from 'vitest';
import { registerNamed, registerSet } from '../../../src/register-set.js';
import { Conversation, GDB_13 } from '../conversation.js';
import { FakeTarget } from '../fake-target.js';

const open = (target = new FakeTarget()): Conversation => Conversation.open(GDB_13, target);

describe.each([true, false])('with AVX: %s', (avx) => {
  const conversation = open();
  conversation.target.rows = registerSet(avx);
  const all = conversation.ask('g') ?? '';

  test('g has the bytes of every row', () => {
    expect(all).toHaveLength(registerSet(avx).reduce((sum, { bits }) => sum + bits / 4, 0));
  });

  test('g is laid out as target.xml says', () => {
    const xml = conversation.ask('qXfer:features:read:target.xml:0,20000') ?? '';
    const layout = [...xml.matchAll(/<reg name="(\w+)" bitsize="(\d+)" .*regnum="(\d+)"/g)];
    expect(layout.map(([, name]) => name)).toEqual(registerSet(avx).map(({ name }) => name));
    let at = 0;
    for (const [, name, bits, number] of layout) {
      const digits = Number(bits) / 4;
      expect(all.slice(at, at + digits), name).toBe(conversation.ask(`p${Number(number).toString(16)}`));
      at += digits;
    }
    expect(at).toBe(all.length);
  });
});

describe('a client that does not say that it reads target descriptions', () => {
  const client = (features: string): Conversation => Conversation.open(features, new FakeTarget());
  const size = (avx: boolean): number => registerSet(avx).reduce((sum, { bits }) => sum + bits / 4, 0);
  const first = registerSet(true)
    .findIndex(({ feature }) => feature === 'avx')
    .toString(16);

  test.each(['swbreak+', 'xmlRegisters=arm'])('knows the registers of before them: %s', (features) => {
    const conversation = client(features);
    expect(conversation.ask('g')).toHaveLength(size(false));
    expect(conversation.ask(`p${first}`)).toBe('E16');
    expect(conversation.ask('?')).not.toContain(`;${first}:`);
  });

  test('knows all of them when it has read ours', () => {
    const conversation = client('swbreak+');
    conversation.ask('qXfer:features:read:target.xml:0,20');
    expect(conversation.ask('g')).toHaveLength(size(true));
    expect(conversation.ask('?')).toContain(`;${first}:`);
  });

  test.each(['xmlRegisters=i386', 'xmlRegisters=arm,i386,mips'])('others know all: %s', (features) => {
    expect(client(features).ask('g')).toHaveLength(size(true));
  });
});

test.each([
  { packet: 'p0', reply: '0001020304050607' },
  { packet: 'p10', reply: '1011121314151617' },
  { packet: 'p11', reply: '11121314' },
  { packet: 'p18', reply: '18191a1b1c1d1e1f2021' },
  { packet: 'p4b', reply: '4b4c4d4e4f505152535455565758595a' },
  { packet: 'p4c', reply: 'E16' },
  { packet: 'p', reply: 'E16' },
  { packet: 'p0,', reply: 'E16' },
  { packet: 'P0=1122334455667788', reply: 'OK' },
  { packet: 'P39=ffffffffffffffff', reply: 'OK' },
  { packet: 'P0=11', reply: 'E16' },
  { packet: 'P0=112233445566778', reply: 'E16' },
  { packet: 'P4c=00', reply: 'E16' },
  { packet: 'P0', reply: 'E16' },
  { packet: 'g0', reply: 'E16' },
  { packet: 'G00', reply: 'E16' },
])('$packet -> $reply', ({ packet, reply }) => {
  expect(open().ask(packet)).toBe(reply);
});

test('P writes one register of the chosen thread', () => {
  const target = new FakeTarget();
  target.addThread(0x20);
  const conversation = open(target);
  conversation.ask('Hgp1234.20');
  expect(conversation.ask('P1=8877665544332211')).toBe('OK');
  expect(target.calls).toEqual(['write rbx=8877665544332211 of 20']);
  expect(conversation.ask('p1')).toBe('8877665544332211');
  conversation.ask('Hgp1234.1234');
  expect(conversation.ask('p1')).toBe('0102030405060708');
});

test('G writes only what differs', () => {
  const conversation = open();
  const values = conversation.ask('g') ?? '';
  expect(conversation.ask(`G${values}`)).toBe('OK');
  expect(conversation.target.calls).toEqual([]);
  expect(conversation.ask(`Gff${values.slice(2)}`)).toBe('OK');
  expect(conversation.target.calls).toEqual(['write rax=ff01020304050607 of 1234']);
});

test('a register without a value is x in g and p, and cannot be written', () => {
  const conversation = open();
  conversation.target.unavailable.add('rbx');
  expect(conversation.ask('p1')).toBe('x'.repeat(16));
  expect(conversation.ask('g')?.slice(16, 32)).toBe('x'.repeat(16));
  expect(conversation.ask('P1=0000000000000000')).toBe('E16');
  expect(registerNamed('rbx').number).toBe(1);
});
