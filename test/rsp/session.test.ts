import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { configureLog } from '../../src/log.js';
import { PACKETS } from '../../src/rsp/packet-table.js';
import { Session } from '../../src/rsp/session.js';
import type { Action } from '../../src/rsp/session-types.js';
import type { StopEvent } from '../../src/rsp/stop-event.js';
import type { Pid } from '../../src/types.js';
import { answer, Conversation, escapeBody, frame, GDB_13 } from './conversation.js';
import { bareTarget, FakeTarget, MAIN, MEMORY_START, PID, thread } from './fake-target.js';
import { TracingTarget } from './tracing-target.js';

/** Malformed and oversized packets are logged; these tests send little else. */
beforeAll(() => configureLog({ level: 'silent' }));

const TRAP: StopEvent = { kind: 'signal', thread: MAIN, signal: 5 };

describe('acknowledgements', () => {
  test('each packet is acknowledged together with its reply', () => {
    expect(new Conversation().raw(frame('qC')).sent).toEqual(['+', 'QC1234']);
  });

  test('a wrong checksum is refused until it is right', () => {
    const conversation = new Conversation();
    expect(conversation.raw('$qC#00').sent).toEqual(['-']);
    expect(conversation.raw(frame('qC')).sent).toEqual(['+', 'QC1234']);
  });

  test('a NAK brings the last reply again', () => {
    const conversation = new Conversation();
    conversation.raw(frame('qC'));
    expect(conversation.raw('-').sent).toEqual(['QC1234']);
    expect(conversation.raw('-').sent).toEqual(['QC1234']);
  });

  test('a NAK before any reply brings nothing', () => {
    expect(new Conversation().raw('-').sent).toEqual([]);
  });

  test('a packet that is there twice was sent again for want of one: it is answered once', () => {
    const conversation = new Conversation();
    const again = frame('qC');
    expect(conversation.raw(`+${again}${again}${again}`).sent).toEqual(['+', expect.stringMatching(/^QC/)]);
    // With the acknowledgement of the reply between them they are two.
    expect(conversation.raw(`+${again}+${again}`).sent).toHaveLength(4);
  });

  test('the packet that ends them is the last to be acknowledged', () => {
    const conversation = new Conversation();
    expect(conversation.raw(frame('QStartNoAckMode')).sent).toEqual(['+', 'OK']);
    expect(conversation.raw(`+${frame('qC')}`).sent).toEqual(['QC1234']);
    expect(conversation.raw('-').sent).toEqual([]);
  });

  test('without them a wrong checksum is overlooked, as gdbserver does', () => {
    expect(Conversation.open(GDB_13).raw('$qC#00').sent).toEqual([`QCp${PID.toString(16)}.${PID.toString(16)}`]);
  });

  test('several packets in one piece give as many replies in one write', () => {
    const conversation = Conversation.open(GDB_13);
    const actions = conversation.session.feed(
      Buffer.from(frame('QNonStop:0') + frame('vMustReplyEmpty') + frame('qC')),
    );
    expect(actions).toHaveLength(1);
    expect(answer(actions).sent).toEqual(['OK', '', 'QCp1234.1234']);
  });
});

describe('packets that are too long', () => {
  const long = frame('m'.repeat(0x20001));

  test('are refused once, then the connection closes', () => {
    const conversation = new Conversation();
    expect(conversation.raw(long)).toEqual({ sent: ['-'], actions: [] });
    expect(conversation.raw(frame('qC')).sent).toEqual(['+', 'QC1234']);
    expect(conversation.raw(long).actions).toEqual([{ kind: 'close' }]);
    expect(conversation.raw(frame('qC')).sent).toEqual([]);
  });

  test('close the connection at once where nobody would send them again', () => {
    expect(Conversation.open(GDB_13).raw(long)).toEqual({ sent: [], actions: [{ kind: 'close' }] });
  });

  test('of exactly PacketSize are read', () => {
    const conversation = Conversation.open(GDB_13);
    const head = `X${MEMORY_START.toString(16)},2000:`;
    expect(conversation.ask(head + 'x'.repeat(0x2000))).toBe('OK');
    expect(conversation.ask('q'.padEnd(0x20000, 'u'))).toBe('');
  });
});

describe('running in all-stop mode', () => {
  const running = (features = GDB_13): Conversation => {
    const conversation = Conversation.open(features);
    conversation.ask('vCont;c:p1234.-1');
    return conversation;
  };

  test('a resume leaves as an action and its answer is the stop', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.raw(frame('vCont;c'))).toEqual({
      sent: [],
      actions: [{ kind: 'resume', actions: [{ kind: 'continue', thread: MAIN, signal: 0 }] }],
    });
    expect(answer(conversation.session.stopped(TRAP)).sent[0]).toMatch(/^T05/);
  });

  test('in ack mode the acknowledgement leaves before the resume', () => {
    const kinds = new Conversation().session.feed(Buffer.from(frame('vCont;c'))).map(({ kind }) => kind);
    expect(kinds).toEqual(['send', 'resume']);
  });

  test.each(['g', 'm400000,4', '?', 'vCont;c', 'nonsense', 'QNonStop:0'])('%s gets no answer', (packet) => {
    expect(running().raw(frame(packet))).toEqual({ sent: [], actions: [] });
  });

  test('a break asks for a stop, several ask once', () => {
    const conversation = running();
    expect(conversation.raw('\x03\x03').actions).toEqual([{ kind: 'interrupt' }]);
    expect(conversation.raw('\x03').actions).toEqual([]);
    const reply = answer(conversation.session.stopped({ kind: 'interrupted', thread: MAIN })).sent[0];
    expect(reply).toMatch(/^T02.*thread:p1234.1234;/);
  });

  test('a break for each of two runs', () => {
    const conversation = running();
    conversation.raw('\x03');
    conversation.session.stopped({ kind: 'interrupted', thread: MAIN });
    conversation.ask('vCont;c');
    expect(conversation.raw('\x03').actions).toEqual([{ kind: 'interrupt' }]);
  });

  test('a break in the same piece as the resume comes after it', () => {
    const kinds = Conversation.open(GDB_13)
      .raw(`${frame('vCont;c')}\x03`)
      .actions.map(({ kind }) => kind);
    expect(kinds).toEqual(['resume', 'interrupt']);
  });

  test('a break that crosses a stop reply is served at the next resume', () => {
    const conversation = Conversation.open(GDB_13);
    conversation.raw(frame('vCont;c'));
    conversation.session.stopped(TRAP);
    expect(conversation.raw('\x03').actions).toEqual([]);
    conversation.raw(frame('g'));
    const kinds = conversation.raw(frame('vCont;c')).actions.map(({ kind }) => kind);
    expect(kinds).toEqual(['resume', 'interrupt']);
    conversation.session.stopped({ kind: 'interrupted', thread: MAIN });
    conversation.raw(`\x03${frame('g')}`);
    expect(conversation.raw(frame('vCont;c')).actions.map(({ kind }) => kind)).toEqual(['resume']);
  });

  test('a break between the packets of a stop that the user does not see is served at the next resume', () => {
    const conversation = running();
    conversation.session.stopped(TRAP);
    const kinds = conversation
      .raw(`${frame('g')}\x03${frame('g')}${frame('vCont;s:p1234.1234')}`)
      .actions.map(({ kind }) => kind);
    expect(kinds).toEqual(['resume', 'interrupt']);
  });

  test('a break before the first resume is nothing', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.raw(`\x03${frame('vCont;c')}`).actions).toMatchObject([{ kind: 'resume' }]);
  });

  test('a break while stopped gets no answer', () => {
    const conversation = running();
    conversation.session.stopped(TRAP);
    expect(conversation.raw('\x03')).toEqual({ sent: [], actions: [] });
  });

  test('a break of lldb that crosses a stop reply is forgotten', () => {
    const conversation = Conversation.open('');
    conversation.ask('QThreadSuffixSupported');
    conversation.ask('vCont;c');
    conversation.session.stopped({ kind: 'stepped', thread: MAIN });
    conversation.raw('\x03');
    expect(conversation.raw(frame('vCont;c')).actions.map(({ kind }) => kind)).toEqual(['resume']);
  });

  test('the program’s output goes to the console, and only then', () => {
    const conversation = running('');
    expect(answer(conversation.session.output(Buffer.from('hi\n'))).sent).toEqual(['O68690a']);
    conversation.session.stopped(TRAP);
    expect(conversation.session.output(Buffer.from('late'))).toEqual([]);
  });

  test('much output comes in packets that fit', () => {
    const { sent } = answer(running('').session.output(Buffer.alloc(0x9000, 'x')));
    expect(sent.map((body) => body.length)).toEqual([0x8001, 0x8001, 0x2001]);
  });

  describe('a client that serves File-I/O writes much text itself', () => {
    const ADDRESS = '800000000000';
    const MUCH = Buffer.from(`hi${'.'.repeat(0x3fe)}`);

    function runningGdb(): Conversation {
      const conversation = Conversation.open('multiprocess+;qRelocInsn+');
      conversation.ask('vCont;c');
      return conversation;
    }

    test('it is asked, reads the text, and the stop waits for its answer', () => {
      const conversation = runningGdb();
      const { session } = conversation;
      expect(answer(session.output(MUCH)).sent).toEqual([`Fwrite,1,${ADDRESS},400`]);
      expect(session.output(Buffer.from('you\n'))).toEqual([]);
      expect(session.stopped(TRAP)).toEqual([]);
      expect(session.unwrittenText).toBe(0x404);
      expect(conversation.ask('Hgp0.0')).toBe('OK');
      expect(conversation.ask(`m${ADDRESS},3`)).toBe('68692e');
      expect(conversation.ask('m8000000003ff,8')).toBe('2e');
      expect(conversation.ask('m800000000400,1')).toMatch(/^E/);
      expect(conversation.ask('F400')).toBe(`Fwrite,1,${ADDRESS},4`);
      expect(conversation.ask(`m${ADDRESS},4`)).toBe('796f750a');
      expect(conversation.ask('F4')).toMatch(/^T05/);
      expect(session.unwrittenText).toBe(0);
      expect(conversation.ask('F4')).toBe('');
    });

    test('a few lines are not worth the round trips', () => {
      const { session } = runningGdb();
      expect(answer(session.output(Buffer.from('hi\n'))).sent).toEqual(['O68690a']);
      expect(answer(session.stopped(TRAP)).sent).toHaveLength(1);
    });

    test('a stop without text before it is told at once, and nothing can be read while the program runs', () => {
      const conversation = runningGdb();
      expect(conversation.raw(frame(`m${ADDRESS},1`)).sent).toEqual([]);
      expect(conversation.raw(frame('F0')).sent).toEqual([]);
      expect(answer(conversation.session.stopped(TRAP)).sent).toHaveLength(1);
    });

    test.each(['F-1,4,C', 'F-1,4'])('%s: its user interrupts; the piece is asked for again', (reply) => {
      const conversation = runningGdb();
      conversation.session.output(MUCH);
      const { sent, actions } = conversation.raw(frame(reply));
      expect(sent).toEqual([`Fwrite,1,${ADDRESS},400`]);
      expect(actions.map(({ kind }) => kind)).toEqual(['interrupt']);
    });

    test('F400,0,C: its user interrupts what has been written already', () => {
      const conversation = runningGdb();
      conversation.session.output(MUCH);
      const { sent, actions } = conversation.raw(frame('F400,0,C'));
      expect(sent).toEqual([]);
      expect(actions.map(({ kind }) => kind)).toEqual(['interrupt']);
    });

    test('a break while a stop is held waits for the next resume', () => {
      const conversation = runningGdb();
      conversation.session.output(MUCH);
      conversation.session.stopped(TRAP);
      expect(conversation.raw('\x03').actions).toEqual([]);
      conversation.ask('F400');
      expect(conversation.raw(frame('vCont;c')).actions.map(({ kind }) => kind)).toEqual(['resume', 'interrupt']);
    });

    test('one that refuses gets O packets from then on', () => {
      const conversation = runningGdb();
      conversation.session.output(MUCH);
      conversation.session.output(Buffer.from('you\n'));
      expect(conversation.raw(frame('F-1,58')).sent).toEqual([`O${MUCH.toString('hex')}`, 'O796f750a']);
      expect(answer(conversation.session.output(MUCH)).sent).toEqual([`O${MUCH.toString('hex')}`]);
    });
  });

  test('k ends the server', () => {
    const conversation = running();
    expect(conversation.raw(frame('k'))).toEqual({ sent: [], actions: [{ kind: 'exit', reason: 'killed' }] });
    expect(conversation.target.calls).toEqual(['kill 1234']);
  });

  test('a stop that nobody resumed for is the host’s mistake', () => {
    expect(() => Conversation.open(GDB_13).session.stopped(TRAP)).toThrow('not resumed');
  });

  test('after the stop its thread is the current one', () => {
    const target = new FakeTarget();
    const second = target.addThread(0x20);
    const conversation = Conversation.open(GDB_13, target);
    conversation.ask('vCont;c');
    conversation.session.stopped({ kind: 'stepped', thread: second });
    expect(conversation.ask('qC')).toBe('QCp1234.20');
  });
});

describe('connecting', () => {
  test('to a program that is stopped: why it is', () => {
    const target = new FakeTarget();
    const second = target.addThread(0x20);
    const lastStop: StopEvent = { kind: 'interrupted', thread: second };
    const conversation = Conversation.open(GDB_13, target, { lastStop });
    expect(conversation.ask('qC')).toBe('QCp1234.20');
    expect(conversation.ask('?')).toMatch(/^T02.*thread:p1234.20;/);
    expect(conversation.ask('?')).toMatch(/^T02/);
  });

  test('the thread of the last stop has ended: another one with SIGTRAP', () => {
    const conversation = Conversation.open(GDB_13, new FakeTarget(), {
      lastStop: { kind: 'stepped', thread: thread(99) },
    });
    expect(conversation.ask('?')).toMatch(/^T05.*thread:p1234.1234;/);
  });

  test('to a program that runs: `?` stops it', () => {
    const conversation = Conversation.open(GDB_13, new FakeTarget(), { running: true });
    expect(conversation.raw(frame('?'))).toEqual({ sent: [], actions: [{ kind: 'interrupt' }] });
    expect(answer(conversation.session.stopped({ kind: 'interrupted', thread: MAIN })).sent[0]).toMatch(/^T02/);
    expect(conversation.ask('?')).toMatch(/^T02/);
  });

  test('to a program that runs and stops by itself before `?`', () => {
    const conversation = Conversation.open(GDB_13, new FakeTarget(), { running: true });
    expect(conversation.session.stopped({ kind: 'signal', thread: MAIN, signal: 11 })).toEqual([]);
    expect(conversation.ask('?')).toMatch(/^T0b/);
  });

  test('to no program', () => {
    const target = new FakeTarget();
    target.alive = [];
    target.list = [];
    const conversation = Conversation.open(GDB_13, target);
    expect(conversation.ask('!')).toBe('OK');
    expect(conversation.ask('?')).toBe('W00');
    expect(conversation.ask('Hgp0.0')).toBe('E03');
    expect(conversation.ask('g')).toBe('E03');
    expect(conversation.ask('qXfer:features:read:target.xml:0,1000')).toBe('E03');
    expect(conversation.ask('qXfer:threads:read::0,1000')).toBe('l<threads>\n</threads>\n');
  });
});

test('when the client goes, what it set up goes', () => {
  const conversation = Conversation.open(GDB_13);
  conversation.ask('QNonStop:1');
  conversation.ask(`vFile:open:${Buffer.from('/bin/prog').toString('hex')},0,0`);
  conversation.target.calls.length = 0;
  conversation.session.disconnected();
  expect(conversation.target.calls.sort()).toEqual([
    'catch 1234 ',
    'close /bin/prog',
    'events ',
    'non-stop false',
    'pass ',
    'remove all',
  ]);
  expect(conversation.raw(frame('qC'))).toEqual({ sent: [], actions: [] });
});

test('a trace sees all bytes of both directions', () => {
  const seen: string[] = [];
  const trace = (direction: string, bytes: Uint8Array) =>
    void seen.push(`${direction} ${Buffer.from(bytes).toString('latin1')}`);
  new Conversation(new FakeTarget(), { trace }).raw(frame('qC'));
  expect(seen).toEqual(['in $qC#b4', 'out +$QC1234#5e']);
});

test('a target that throws costs one error reply and not the session', () => {
  const target = new FakeTarget();
  target.readMemory = () => {
    throw new Error('broken');
  };
  const conversation = Conversation.open(`${GDB_13};error-message+`, target);
  expect(conversation.ask('m400000,4')).toBe('E.internal error');
  expect(conversation.ask('qC')).toBe('QCp1234.1234');
});

describe('whatever a client sends', () => {
  const names = PACKETS.map(({ prefix }) => prefix);
  const ends = ['', ':', ';', ',', '0', '1', 'p1.1', '-1', ',4', ':0,1000', ';X3,220127', '=00', '#', '}', '\xff'];
  const piece = fc.oneof(
    fc.constantFrom(...ends),
    fc.integer({ min: 0, max: 0x50_0000 }).map((value) => value.toString(16)),
    fc.string({ maxLength: 4 }),
  );
  const packet = fc
    .tuple(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 8 })), fc.array(piece, { maxLength: 6 }))
    .map(([name, pieces]) => name + pieces.join(''));
  const targets = [
    { name: 'full', make: () => new TracingTarget() },
    { name: 'bare', make: () => bareTarget() },
  ];

  /** Packets that are answered by the next stop, or by nothing. */
  const silent = /^(k|R|c|s|C|S|vCont|\?|qSearch|qCRC)/;

  test.each(targets)('nothing throws, one reply at most, none while running ($name target)', ({ make }) => {
    fc.assert(
      fc.property(fc.array(packet, { minLength: 1, maxLength: 8 }), (packets) => {
        const session = new Session(make());
        session.feed(Buffer.from(`${frame('QStartNoAckMode')}+`));
        let running = false;
        let over = false;
        for (const body of packets) {
          const { sent, actions } = answer(session.feed(Buffer.from(frame(escapeBody(body)), 'latin1')));
          const replies = sent.filter((item) => !/^O[0-9a-f]/.test(item));
          expect(replies.length, body).toBeLessThanOrEqual(1);
          if (running || over) expect(sent, body).toEqual([]);
          else if (!silent.test(body)) expect(replies, body).toHaveLength(1);
          over ||= actions.some(({ kind }) => kind === 'exit' || kind === 'close');
          running = (running && body !== 'k') || actions.some(owes);
          for (let work = actions; work.some(({ kind }) => kind === 'work'); ) {
            running = false;
            work = session.work();
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  function owes(action: Action): boolean {
    return action.kind === 'resume' || action.kind === 'work';
  }

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }), (chunks) => {
        const session = new Session(new FakeTarget());
        for (const chunk of chunks) session.feed(chunk);
        session.disconnected();
      }),
    );
  });
});

test('ids that are no live process are refused', () => {
  const conversation = Conversation.open(GDB_13);
  for (const packet of ['D;99', 'vKill;99', 'qAttached:99', 'Hgp99.1', 'Tp99.1'])
    expect(conversation.ask(packet)).toBe('E03');
  expect(conversation.target.processes()[0]?.pid).toBe(PID as Pid);
});
