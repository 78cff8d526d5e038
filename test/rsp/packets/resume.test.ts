import { describe, expect, test } from 'vitest';
import type { ResumeAction } from '../../../src/rsp/stop-event.js';
import { Conversation, GDB_13 } from '../conversation.js';
import { bareTarget, FakeTarget, MAIN, thread } from '../fake-target.js';

const SECOND = thread(0x20);
const OTHER = thread(0x50, 0x50);

function conversation(): Conversation {
  const target = new FakeTarget();
  target.addThread(0x20);
  target.addProcess(0x50);
  return Conversation.open(GDB_13, target);
}

function resumed(packets: readonly string[]): readonly ResumeAction[] | undefined {
  const talk = conversation();
  const actions = packets.flatMap((packet) => talk.actionsOf(packet));
  return actions.find((action) => action.kind === 'resume')?.actions;
}

const go = (id: { pid: number; tid: number }, signal = 0) => ({ kind: 'continue', thread: id, signal });
const step = (id: { pid: number; tid: number }, signal = 0) => ({ kind: 'step', thread: id, signal });

describe('vCont', () => {
  test.each([
    { packet: 'vCont;c', actions: [go(MAIN), go(SECOND), go(OTHER)] },
    { packet: 'vCont;c:-1', actions: [go(MAIN), go(SECOND), go(OTHER)] },
    { packet: 'vCont;c:p1234.-1', actions: [go(MAIN), go(SECOND)] },
    { packet: 'vCont;c:p1234', actions: [go(MAIN), go(SECOND)] },
    { packet: 'vCont;s:p1234.20', actions: [step(SECOND)] },
    { packet: 'vCont;s:p1234.20;c:p1234.-1', actions: [go(MAIN), step(SECOND)] },
    { packet: 'vCont;c:p1234.-1;s:p1234.20', actions: [go(MAIN), go(SECOND)] },
    { packet: 'vCont;C1e:p1234.20;c', actions: [go(MAIN), go(SECOND, 10), go(OTHER)] },
    { packet: 'vCont;S0b:p1234.1234', actions: [step(MAIN, 11)] },
    {
      packet: 'vCont;r401000,401010:p1234.1234;c:p50.-1',
      actions: [{ kind: 'range', thread: MAIN, start: 0x401000n, end: 0x401010n }, go(OTHER)],
    },
  ])('$packet', ({ packet, actions }) => {
    expect(resumed([packet])).toEqual(actions);
  });

  test.each([
    { packet: 'vCont?', reply: 'vCont;c;C;t;s;S;r' },
    { packet: 'vCont', reply: 'E16' },
    { packet: 'vCont;', reply: 'E16' },
    { packet: 'vCont;x', reply: 'E16' },
    { packet: 'vCont;c:', reply: 'E16' },
    { packet: 'vCont;C', reply: 'E16' },
    { packet: 'vCont;Cff', reply: 'E16' },
    { packet: 'vCont;r401000', reply: 'E16' },
    { packet: 'vCont;t', reply: 'E16' },
    { packet: 'vCont;s:p1234.99', reply: 'N' },
    { packet: 'vContfoo', reply: '' },
  ])('$packet -> $reply', ({ packet, reply }) => {
    expect(conversation().ask(packet)).toBe(reply);
  });

  test('threads that do not exist, for a client without no-resumed', () => {
    expect(Conversation.open('multiprocess+').ask('vCont;s:p1234.99')).toBe('E03');
  });

  test('has no `t` where threads cannot stop alone', () => {
    expect(Conversation.open(GDB_13, bareTarget()).ask('vCont?')).toBe('vCont;c;C;s;S;r');
  });
});

describe('c, s, C, S', () => {
  test.each([
    { packets: ['c'], actions: [go(MAIN), go(SECOND), go(OTHER)] },
    { packets: ['Hc0', 's'], actions: [step(MAIN), go(SECOND), go(OTHER)] },
    { packets: ['Hgp1234.20', 'Hc-1', 's'], actions: [go(MAIN), step(SECOND), go(OTHER)] },
    { packets: ['Hcp1234.20', 's'], actions: [step(SECOND)] },
    { packets: ['Hcp1234.20', 'c'], actions: [go(SECOND)] },
    { packets: ['C0a'], actions: [go(MAIN, 7), go(SECOND), go(OTHER)] },
    { packets: ['Hcp1234.1234', 'S05'], actions: [step(MAIN, 5)] },
  ])('$packets', ({ packets, actions }) => {
    expect(resumed(packets)).toEqual(actions);
  });

  test.each([
    { packet: 'c401000', write: 'write rip=0010400000000000 of 1234' },
    { packet: 's401000', write: 'write rip=0010400000000000 of 1234' },
    { packet: 'C05;401000', write: 'write rip=0010400000000000 of 1234' },
  ])('$packet sets the pc first', ({ packet, write }) => {
    const talk = conversation();
    expect(talk.actionsOf(packet)).toHaveLength(1);
    expect(talk.target.calls).toEqual([write]);
  });

  test.each(['cxyz', 'C', 'S', 'Czz', 'C05;', 's-1'])('%s is malformed', (packet) => {
    expect(conversation().ask(packet)).toBe('E16');
  });
});
