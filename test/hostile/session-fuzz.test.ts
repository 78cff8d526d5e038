/** Whatever a client sends, in whatever pieces: no exception, one reply to a packet at most and none while the program runs, and bounded time and size. */
import { expect, test } from 'vitest';
import { Session } from '../../src/rsp/session.js';
import type { Action } from '../../src/rsp/session-types.js';
import { frame } from '../gdb/rsp-client.js';
import { MAIN } from '../rsp/fake-target.js';
import { TracingTarget } from '../rsp/tracing-target.js';
import { anyPacket } from './packets.js';
import { fuzz, type Random } from './random.js';

const PACKETS_PER_SESSION = 40;
/** Far above what any packet takes on a busy machine. */
const LIMIT_MS = 2000;
/** No reply is longer than PacketSize, each byte of it escaped at worst; `O` packets of a monitor command come on top. */
const LIMIT_BYTES = 1 << 20;

function sent(actions: readonly Action[]): string {
  return actions.map((action) => (action.kind === 'send' ? Buffer.from(action.bytes).toString('latin1') : '')).join('');
}

/** Bodies of replies: no acknowledgements, notifications, or console output. */
function replies(text: string): string[] {
  return [...text.matchAll(/\$([^#]*)#../g)].map((match) => match[1] ?? '').filter((body) => !/^O[0-9a-f]/.test(body));
}

class Client {
  readonly session = new Session(new TracingTarget());
  /** The program runs, and this client waits for it. */
  running = false;
  over = false;
  nonStop = false;

  feed(bytes: string): string {
    return this.take(this.session.feed(Buffer.from(bytes, 'latin1')));
  }

  /** Carries the actions out as a host does; what was sent. */
  take(actions: readonly Action[]): string {
    let text = sent(actions);
    for (const action of actions) {
      if (action.kind === 'resume') this.running = !this.session.client.nonStop;
      if (action.kind === 'close' || action.kind === 'exit') this.over = true;
      if (action.kind === 'work') text += this.take(this.session.work());
    }
    return text;
  }

  stop(): void {
    this.running = false;
    const target = this.session.target.threads();
    if (target.length > 0) this.take(this.session.stopped({ kind: 'stepped', thread: target[0] ?? MAIN }));
    else this.over = true;
  }
}

function session(random: Random): void {
  const client = new Client();
  if (random.below(8) > 0) client.feed(`+${frame('QStartNoAckMode')}+`);
  for (let i = 0; i < PACKETS_PER_SESSION && !client.over; i++) {
    const body = anyPacket(random);
    const wasRunning = client.running;
    const begun = performance.now();
    let text = '';
    if (random.below(10) === 0)
      text = client.feed(random.of(['\x03', '+', '-', '$', '#00', '}', '$m0,', 'noise', '\x03\x03']));
    const bytes = frame(body);
    const cut = random.below(bytes.length + 1);
    const before = replies(text).length;
    text += client.feed(bytes.slice(0, cut)) + client.feed(bytes.slice(cut));
    expect(performance.now() - begun, body).toBeLessThan(LIMIT_MS);
    expect(text.length, body).toBeLessThan(LIMIT_BYTES);
    expect(replies(text).length - before, body).toBeLessThanOrEqual(1);
    // A NAK brings the last reply again at any time.
    // `k` and `vCtrlC`, `vStopped` and their like may come at any time; they are answered at most.
    if (wasRunning && client.running && !/^k/.test(body)) expect(replies(text).slice(before), body).toEqual([]);
    // It ends what ran; a client in extended mode goes on.
    if (/^k/.test(body)) client.running = false;
    if (client.running && random.below(2) === 0) client.stop();
  }
  client.session.disconnected();
}

test('the protocol core', { timeout: 3_600_000 }, () => fuzz('protocol core', 100, session));
