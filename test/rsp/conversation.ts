/** Talks to a session as a client does: frames, unframes, and tells replies from actions. */
import { Session } from '../../src/rsp/session.js';
import type { Action, SessionSettings } from '../../src/rsp/session-types.js';
import { FakeTarget } from './fake-target.js';

export function frame(body: string): string {
  let sum = 0;
  for (const byte of Buffer.from(body, 'latin1')) sum += byte;
  return `$${body}#${(sum & 0xff).toString(16).padStart(2, '0')}`;
}

/** Undoes run-length encoding. */
export function expand(text: string): string {
  return text.replace(/(.)\*(.)/gs, (_, byte: string, count: string) => byte.repeat(count.charCodeAt(0) - 28));
}

/** Undoes `}` escapes. */
export function unescapeBinary(text: string): string {
  return text.replace(/\}(.)/gs, (_, byte: string) => String.fromCharCode(byte.charCodeAt(0) ^ 0x20));
}

/** Bodies of the frames in a stream, expanded; acknowledgements and notifications (`%`) as they are. */
export function unframe(stream: string): string[] {
  const found = stream.match(/\$[^#]*#..|%[^#]*#..|[-+]/gs) ?? [];
  if (found.join('') !== stream) throw new Error(`not a stream of frames: ${JSON.stringify(stream)}`);
  return found.map((item) => {
    if (item.length === 1) return item;
    const body = item.slice(1, -3);
    const checksum = frame(body).slice(-2);
    if (item.slice(-2) !== checksum) throw new Error(`bad checksum in ${JSON.stringify(item)}`);
    return item.startsWith('%') ? `%${body}` : expand(body);
  });
}

/** What came back: bodies sent, and actions other than sending. */
export interface Answer {
  readonly sent: readonly string[];
  readonly actions: readonly Action[];
}

export function answer(actions: readonly Action[]): Answer {
  const bytes = actions
    .filter((action) => action.kind === 'send')
    .map((action) => Buffer.from(action.bytes).toString('latin1'));
  return { sent: unframe(bytes.join('')), actions: actions.filter(({ kind }) => kind !== 'send') };
}

export class Conversation {
  readonly session: Session;

  constructor(
    readonly target: FakeTarget = new FakeTarget(),
    settings: SessionSettings = {},
  ) {
    this.session = new Session(target, settings);
  }

  /** In no-ack mode with these client features, nothing pending. */
  static open(features: string, target: FakeTarget = new FakeTarget(), settings: SessionSettings = {}): Conversation {
    const conversation = new Conversation(target, settings);
    conversation.raw('+');
    conversation.raw(`${frame('QStartNoAckMode')}+`);
    conversation.raw(frame(`qSupported:${features}`));
    target.calls.length = 0;
    return conversation;
  }

  raw(bytes: string): Answer {
    return answer(this.session.feed(Buffer.from(bytes, 'latin1')));
  }

  /** Sends one packet; returns the body of its one reply, or undefined when there is none. Work is done to its end. */
  ask(body: string): string | undefined {
    const { sent, actions } = this.raw(frame(escapeBody(body)));
    const replies = sent.filter((item) => item !== '+' && item !== '-');
    let working = actions.some(({ kind }) => kind === 'work');
    while (working) {
      const more = answer(this.session.work());
      replies.push(...more.sent);
      working = more.actions.some(({ kind }) => kind === 'work');
    }
    if (replies.length > 1) throw new Error(`${replies.length} replies to ${body}: ${JSON.stringify(replies)}`);
    return replies[0];
  }

  /** The actions that a packet leads to, sending apart. */
  actionsOf(body: string): readonly Action[] {
    return this.raw(frame(escapeBody(body))).actions;
  }
}

/** As gdb escapes what it sends. */
export function escapeBody(body: string): string {
  return body.replace(/[#$}*]/g, (byte) => `}${String.fromCharCode(byte.charCodeAt(0) ^ 0x20)}`);
}

export const GDB_13 =
  'multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386';
