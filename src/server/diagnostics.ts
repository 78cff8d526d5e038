/** gdbserver's --debug and --remote-debug, and `monitor set debug` and its kin: lines on stderr. */
import type { DebugTopic, Diagnostics } from '../rsp/session-types.js';

export interface DebugSettings {
  readonly general: boolean;
  readonly remote: boolean;
  readonly eventLoop: boolean;
  readonly timestamps: boolean;
}

/** A packet in a debug line is cut here. */
const LONGEST = 400;

export class DebugLines implements Diagnostics {
  private readonly topics = new Set<DebugTopic>();
  private timestamps: boolean;

  constructor(
    settings: DebugSettings,
    private readonly write: (line: string) => void,
  ) {
    this.timestamps = settings.timestamps;
    if (settings.general) this.topics.add('general');
    if (settings.remote) this.topics.add('remote');
    if (settings.eventLoop) this.topics.add('event-loop');
  }

  enable(topic: DebugTopic, on: boolean): void {
    if (on) this.topics.add(topic);
    else this.topics.delete(topic);
  }

  showTimestamps(on: boolean): void {
    this.timestamps = on;
  }

  /** Shows the line if its topic is switched on. */
  say(topic: DebugTopic, text: () => string): void {
    if (!this.topics.has(topic)) return;
    const time = this.timestamps ? `${(performance.now() / 1000).toFixed(6)} ` : '';
    this.write(`${time}[${topic}] ${text()}`);
  }

  packet(direction: 'in' | 'out', bytes: Uint8Array): void {
    this.say('remote', () => {
      const text = Buffer.from(bytes.subarray(0, LONGEST))
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, '.');
      const more = bytes.length > LONGEST ? `... (${bytes.length} bytes)` : '';
      return `${direction === 'in' ? 'getpkt' : 'putpkt'}: ${text}${more}`;
    });
  }
}
