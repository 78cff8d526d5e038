import { beforeEach, describe, expect, test } from 'vitest';
import { answer, Conversation, frame, GDB_13 } from '../conversation.js';
import { bareTarget, FakeTarget, MAIN, PID, thread } from '../fake-target.js';

const SECOND = thread(0x20);

test('a target whose threads stop only together refuses it', () => {
  const conversation = Conversation.open(GDB_13, bareTarget());
  expect(conversation.ask('QNonStop:0')).toBe('OK');
  expect(conversation.ask('QNonStop:1')).toBe('E.non-stop mode is unsupported');
  expect(conversation.ask('vStopped')).toBe('');
  expect(conversation.ask('vCtrlC')).toBe('');
});

describe('non-stop', () => {
  let conversation: Conversation;

  beforeEach(() => {
    const target = new FakeTarget();
    target.addThread(0x20);
    conversation = Conversation.open(GDB_13, target);
    expect(conversation.ask('QNonStop:1')).toBe('OK');
    expect(target.calls).toEqual(['non-stop true']);
  });

  test('a resume is answered at once', () => {
    const { sent, actions } = conversation.raw(frame('vCont;c'));
    expect(sent).toEqual(['OK']);
    expect(actions).toMatchObject([{ kind: 'resume', actions: [{ thread: MAIN }, { thread: SECOND }] }]);
  });

  test('a resume of all leaves alone whose stop or birth is not known yet', () => {
    const child = conversation.target.addProcess(0x77);
    conversation.session.stopped({ kind: 'fork', thread: SECOND, child });
    const { sent, actions } = conversation.raw(frame('vCont;c'));
    expect(sent).toEqual(['OK']);
    expect(actions).toEqual([{ kind: 'resume', actions: [{ kind: 'continue', signal: 0, thread: MAIN }] }]);
    expect(conversation.ask('vStopped')).toBe('OK');
    expect(conversation.raw(frame('vCont;c')).actions).toMatchObject([
      { actions: [{ thread: MAIN }, { thread: SECOND }, { thread: child }] },
    ]);
  });

  test('stopping a thread that has ended is no mistake: the client may not have heard of it', () => {
    conversation.target.kill(PID);
    expect(conversation.target.threads()).toEqual([]);
    expect(conversation.ask('vCont;t:p1234.1234')).toBe('OK');
  });

  test('vCont;t stops threads', () => {
    expect(conversation.ask('vCont?')).toBe('vCont;c;C;t;s;S;r');
    const { sent, actions } = conversation.raw(frame('vCont;t:p1234.-1'));
    expect(sent).toEqual(['OK']);
    expect(actions).toEqual([
      { kind: 'resume', actions: [{ kind: 'stop', thread: MAIN }, { kind: 'stop', thread: SECOND }] },
    ]); // biome-ignore format: a table
  });

  test('packets are answered while threads run', () => {
    conversation.raw(frame('vCont;c'));
    expect(conversation.ask('qXfer:threads:read::0,1000')).toMatch(/^l<threads>/);
    expect(conversation.ask('m400000,1')).toBe('00');
  });

  test('the first stop is notified, the others are fetched', () => {
    conversation.raw(frame('vCont;c'));
    const first = answer(conversation.session.stopped({ kind: 'breakpoint', thread: SECOND, hardware: false }));
    expect(first.sent[0]).toMatch(/^%Stop:T05swbreak:;.*thread:p1234.20;/);
    expect(answer(conversation.session.stopped({ kind: 'paused', thread: MAIN })).sent).toEqual([]);
    expect(answer(conversation.session.stopped({ kind: 'exited', pid: PID, code: 0 })).sent).toEqual([]);
    expect(conversation.ask('vStopped')).toMatch(/^T00.*thread:p1234.1234;/);
    expect(conversation.ask('vStopped')).toBe('W0;process:1234');
    expect(conversation.ask('vStopped')).toBe('OK');
    const next = answer(conversation.session.stopped({ kind: 'stepped', thread: MAIN }));
    expect(next.sent[0]).toMatch(/^%Stop:T05/);
  });

  test('`?` begins anew with all threads that are stopped', () => {
    conversation.session.stopped({ kind: 'stepped', thread: MAIN });
    conversation.target.stopsOfThreads = [
      { kind: 'paused', thread: MAIN },
      { kind: 'signal', thread: SECOND, signal: 11 },
    ];
    expect(conversation.ask('?')).toMatch(/^T00.*thread:p1234.1234;/);
    expect(conversation.ask('vStopped')).toMatch(/^T0b.*thread:p1234.20;/);
    expect(conversation.ask('vStopped')).toBe('OK');
  });

  test('`?` when nothing is stopped', () => {
    expect(conversation.ask('?')).toBe('OK');
  });

  test('vStopped without a notification', () => {
    expect(conversation.ask('vStopped')).toBe('OK');
  });

  test('vCtrlC asks for a stop', () => {
    expect(conversation.raw(frame('vCtrlC'))).toEqual({ sent: ['OK'], actions: [{ kind: 'interrupt' }] });
  });

  test('vAttach is answered at once', () => {
    expect(conversation.ask('vAttach;77')).toBe('OK');
  });

  test('back to all-stop', () => {
    expect(conversation.ask('QNonStop:0')).toBe('OK');
    expect(conversation.raw(frame('vCont;c')).sent).toEqual([]);
  });
});
