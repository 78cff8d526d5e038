/** A client of the Debug Adapter Protocol, as an IDE has one: requests, their responses, events. Knows nothing of any adapter. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

interface Message {
  readonly type: 'response' | 'event' | 'request';
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  readonly event?: string;
  readonly command?: string;
  readonly body?: unknown;
}

export interface DapEvent {
  readonly event: string;
  readonly body: Record<string, unknown>;
}

const PATIENCE_MS = 40_000;

/** Lives from the adapter's start to `close`. */
export class DapClient {
  readonly events: DapEvent[] = [];
  private received = Buffer.alloc(0);
  private sequence = 0;
  private seen = 0;
  private readonly waiting = new Map<number, (message: Message) => void>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly adapter: ChildProcessWithoutNullStreams) {
    adapter.stdout.on('data', (bytes: Buffer) => this.take(bytes));
  }

  static start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): DapClient {
    return new DapClient(spawn(command, args, { env }));
  }

  /** The response's body. Rejects with its message when it is no success. */
  async request<Body = Record<string, unknown>>(command: string, args: object = {}): Promise<Body> {
    const seq = ++this.sequence;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    const answer = new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${command}: no response`)), PATIENCE_MS);
      this.waiting.set(seq, (message) => {
        clearTimeout(timer);
        resolve(message);
      });
    });
    this.adapter.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    const { success, message, body } = await answer;
    if (success !== true) throw new Error(`${command}: ${message}`);
    return body as Body;
  }

  /** The next event of this kind that was not waited for yet. */
  event(name: string): Promise<DapEvent> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        for (; this.seen < this.events.length; this.seen++) {
          const found = this.events[this.seen];
          if (found?.event !== name) continue;
          this.seen++;
          this.listeners.delete(look);
          clearTimeout(timer);
          return resolve(found);
        }
      };
      const timer = setTimeout(() => {
        reject(new Error(`no ${name} event; events: ${JSON.stringify(this.events.slice(-20))}`));
      }, PATIENCE_MS);
      this.listeners.add(look);
      look();
    });
  }

  close(): void {
    this.adapter.kill();
  }

  private take(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    for (;;) {
      const header = /^(?:[^\r\n]*\r\n)*?Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(
        this.received.toString('latin1'),
      );
      if (header === null) return;
      const end = header[0].length + Number(header[1]);
      if (this.received.length < end) return;
      const message = JSON.parse(this.received.subarray(header[0].length, end).toString()) as Message;
      this.received = this.received.subarray(end);
      this.deliver(message);
    }
  }

  private deliver(message: Message): void {
    if (message.type === 'response') this.waiting.get(message.request_seq ?? 0)?.(message);
    if (message.type !== 'event') return;
    this.events.push({ event: message.event ?? '', body: (message.body ?? {}) as Record<string, unknown> });
    for (const listener of [...this.listeners]) listener();
  }
}
