import { describe, expect, test } from 'vitest';
import type { StopEvent } from '../../src/rsp/stop-event.js';
import type { Pid } from '../../src/types.js';
import { answer, Conversation, GDB_13 } from './conversation.js';
import { FakeTarget, MAIN, PID, thread } from './fake-target.js';

/** The reply to a resume that ends in this event, without its registers. */
function reply(event: StopEvent, features = GDB_13): string | undefined {
  const target = new FakeTarget();
  target.addThread(0x20);
  const conversation = Conversation.open(features, target);
  conversation.ask('vCont;c');
  return answer(conversation.session.stopped(event)).sent[0]?.replace(
    /(?<=;|^T..)(?:[0-9a-f]{2}:[0-9a-f*+!-~]+?;)+/,
    '…',
  );
}

const CHILD = thread(0x99, 0x99);
const AT = '…thread:p1234.1234;core:0;';

test.each<{ event: StopEvent; text: string }>([
  { event: { kind: 'signal', thread: MAIN, signal: 11 }, text: `T0b${AT}` },
  { event: { kind: 'signal', thread: MAIN, signal: 10 }, text: `T1e${AT}` },
  { event: { kind: 'signal', thread: MAIN, signal: 34 }, text: `T2e${AT}` },
  { event: { kind: 'signal', thread: thread(0x20), signal: 5 }, text: 'T05…thread:p1234.20;core:1;' },
  { event: { kind: 'breakpoint', thread: MAIN, hardware: false }, text: `T05swbreak:;${AT}` },
  { event: { kind: 'breakpoint', thread: MAIN, hardware: true }, text: `T05hwbreak:;${AT}` },
  { event: { kind: 'watchpoint', thread: MAIN, access: 'write', address: 0x404040n }, text: `T05watch:404040;${AT}` },
  { event: { kind: 'watchpoint', thread: MAIN, access: 'read', address: 1n }, text: `T05rwatch:1;${AT}` },
  { event: { kind: 'watchpoint', thread: MAIN, access: 'access', address: 1n }, text: `T05awatch:1;${AT}` },
  { event: { kind: 'stepped', thread: MAIN }, text: `T05${AT}` },
  { event: { kind: 'interrupted', thread: MAIN }, text: `T02${AT}` },
  { event: { kind: 'paused', thread: MAIN }, text: `T00${AT}` },
  { event: { kind: 'fork', thread: MAIN, child: CHILD }, text: `T05fork:p99.99;${AT}` },
  { event: { kind: 'vfork', thread: MAIN, child: CHILD }, text: `T05vfork:p99.99;${AT}` },
  { event: { kind: 'vfork-done', thread: MAIN }, text: `T05vforkdone:;${AT}` },
  { event: { kind: 'exec', thread: MAIN, path: '/bin/ü' }, text: `T05exec:2f62696e2fc3bc;${AT}` },
  { event: { kind: 'syscall-entry', thread: MAIN, number: 60 }, text: `T05syscall_entry:3c;${AT}` },
  { event: { kind: 'syscall-return', thread: MAIN, number: 231 }, text: `T05syscall_return:e7;${AT}` },
  { event: { kind: 'thread-created', thread: MAIN }, text: `T05create:;${AT}` },
  { event: { kind: 'thread-exited', thread: thread(0x20), code: 3 }, text: 'w3;p1234.20' },
  { event: { kind: 'exited', pid: PID, code: 20 }, text: 'W14;process:1234' },
  { event: { kind: 'killed', pid: PID, signal: 12 }, text: 'X1f;process:1234' },
  { event: { kind: 'no-resumed' }, text: 'N' },
])('$event -> $text', ({ event, text }) => {
  expect(reply(event)).toBe(text);
});

describe('a client that offers nothing', () => {
  test.each<{ event: StopEvent; text: string }>([
    { event: { kind: 'breakpoint', thread: MAIN, hardware: false }, text: 'T05…thread:1234;core:0;' },
    { event: { kind: 'breakpoint', thread: MAIN, hardware: true }, text: 'T05…thread:1234;core:0;' },
    { event: { kind: 'fork', thread: MAIN, child: CHILD }, text: 'T05…thread:1234;core:0;' },
    { event: { kind: 'vfork-done', thread: MAIN }, text: 'T05…thread:1234;core:0;' },
    { event: { kind: 'exec', thread: MAIN, path: '/x' }, text: 'T05…thread:1234;core:0;' },
    { event: { kind: 'exited', pid: PID as Pid, code: 0 }, text: 'W00' },
    { event: { kind: 'killed', pid: PID as Pid, signal: 9 }, text: 'X09' },
  ])('gets $text for $event', ({ event, text }) => {
    expect(reply(event, '')).toBe(text);
  });
});

test('the general registers, rip and eflags come along', () => {
  const conversation = Conversation.open(GDB_13);
  conversation.target.unavailable.add('r9');
  const text = conversation.ask('?') ?? '';
  const numbers = [...text.matchAll(/(?<=[;5])([0-9a-f]{2}):([0-9a-f]+);/g)].map(([, number]) =>
    Number.parseInt(number ?? '', 16),
  );
  expect(numbers).toEqual(new FakeTarget().rows.map((row) => row.number).filter((number) => number !== 9));
  expect(text).toContain('10:1011121314151617;11:11121314;');
});

test('the registers of a thread that has ended are left out', () => {
  const event: StopEvent = { kind: 'signal', thread: thread(0x77), signal: 5 };
  expect(reply(event)).toBe('T05thread:p1234.77;');
});
