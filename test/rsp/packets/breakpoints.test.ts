import { expect, test } from 'vitest';
import { Conversation, GDB_13 } from '../conversation.js';
import { bareTarget, PID } from '../fake-target.js';

const TRUE = '220127';
const FALSE = '220027';

test.each([
  { packet: 'Z0,400000,1', kind: 'software', length: 1 },
  { packet: 'Z1,400000,1', kind: 'hardware', length: 1 },
  { packet: 'Z2,400010,8', kind: 'write', length: 8 },
  { packet: 'Z3,400010,4', kind: 'read', length: 4 },
  { packet: 'Z4,400010,2', kind: 'access', length: 2 },
])('$packet inserts', ({ packet, kind, length }) => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask(packet)).toBe('OK');
  expect(conversation.target.inserted).toMatchObject([
    { kind, length, pid: PID, conditions: [], commands: [], persistent: false },
  ]);
  expect(conversation.ask(`z${packet.slice(1)}`)).toBe('OK');
  expect(conversation.target.calls).toEqual([`remove ${kind} ${packet.slice(3, 9)},${length}`]);
});

test('the process is that of the current thread', () => {
  const conversation = Conversation.open(GDB_13);
  conversation.target.addProcess(0x50);
  conversation.ask('Hgp50.50');
  conversation.ask('Z0,400000,1');
  expect(conversation.target.inserted[0]?.pid).toBe(0x50);
});

test.each([
  { name: 'one condition', rest: `;X3,${TRUE}`, conditions: [TRUE], commands: [] },
  {
    name: 'two, as two breakpoints at one address send them',
    rest: `;X3,${FALSE}X3,${TRUE}`,
    conditions: [FALSE, TRUE],
    commands: [],
  },
  { name: 'a list for each', rest: `;X3,${FALSE};X3,${TRUE}`, conditions: [FALSE, TRUE], commands: [] },
  { name: 'commands', rest: `;cmds:0,X1,27`, conditions: [], commands: ['27'] },
  {
    name: 'commands that stay',
    rest: `;cmds:1,X1,27X3,${TRUE}`,
    conditions: [],
    commands: ['27', TRUE],
    persistent: true,
  },
  { name: 'both', rest: `;X3,${TRUE};cmds:1,X1,27`, conditions: [TRUE], commands: ['27'], persistent: true },
  { name: 'nothing after the semicolon', rest: ';', conditions: [], commands: [] },
])('expressions: $name', ({ rest, conditions, commands, persistent = false }) => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask(`Z0,400000,1${rest}`)).toBe('OK');
  const [request] = conversation.target.inserted;
  expect(request?.conditions.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(conditions);
  expect(request?.commands.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(commands);
  expect(request?.persistent).toBe(persistent);
});

test.each([
  { packet: 'Z0,400000', reply: /^E\.malformed packet/ },
  { packet: 'Z0,400000,1;Y', reply: /^E\.malformed packet/ },
  { packet: 'Z0,400000,1;X3,2201', reply: /^E\.malformed packet/ },
  { packet: 'Z0,400000,1;X2,zz00', reply: /^E\.malformed packet/ },
  { packet: 'Z0,400000,1;X3,220127,', reply: /^E\.malformed packet/ },
  { packet: 'Z0,400000,1;X3,220199', reply: /^E\.agent expression: unknown opcode 0x99 at 2$/ },
  { packet: 'Z0,400000,1;cmds:0,X1,02', reply: /^E\.agent expression: stack underflow at 0$/ },
  { packet: 'Z0,400000,1;cmds:0,', reply: /^E\.malformed packet/ },
  { packet: 'Z0,10,1', reply: /^E\.not mapped$/ },
  { packet: 'z0,400000', reply: /^E16$/ },
  { packet: 'Z5,400000,1', reply: /^$/ },
  { packet: 'Z00,400000,1', reply: /^$/ },
])('$packet is refused', ({ packet, reply }) => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask(packet)).toMatch(reply);
  expect(conversation.target.inserted).toEqual([]);
});

test('a kind that the target does not have is unsupported', () => {
  const conversation = Conversation.open(GDB_13);
  conversation.target.breakpoints.kinds.delete('read');
  expect(conversation.ask('Z3,400010,4')).toBe('');
  expect(conversation.ask('z3,400010,4')).toBe('');
  expect(conversation.ask('Z4,400010,4')).toBe('OK');
});

test('a target without breakpoints', () => {
  expect(Conversation.open(GDB_13, bareTarget()).ask('Z0,400000,1')).toBe('');
});
