/**
 * A plain client of the GDB Remote Serial Protocol, for tests that need to say exactly what goes over the wire.
 * Bodies are latin-1 strings: one character is one byte. It knows framing, escapes, run lengths and acknowledgement,
 * and nothing about packets.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const ESCAPED = /[}#$*]/g;

/** `$body#checksum`, escaped as gdb escapes. */
export function frame(body: string): string {
  const escaped = body.replace(ESCAPED, (byte) => `}${String.fromCharCode(byte.charCodeAt(0) ^ 0x20)}`);
  let sum = 0;
  for (let i = 0; i < escaped.length; i++) sum += escaped.charCodeAt(i);
  return `$${escaped}#${(sum & 0xff).toString(16).padStart(2, '0')}`;
}

export function hexOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

export function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

export class RspClient {
  readonly #socket: Socket;
  #received = '';
  #acknowledging = true;
  readonly #packets: string[] = [];
  readonly #waiting: ((packet: string | undefined) => void)[] = [];
  #ended = false;
  readonly notifications: string[] = [];
  /** `+` and `-` bytes so far, in order. */
  acknowledgements = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay();
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => {}); // a reset shows as the end, like an orderly close
    socket.on('close', () => this.#end());
  }

  static async connect(port: number): Promise<RspClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RspClient(socket);
  }

  /** Connects as gdb does: features, then no acknowledgements. */
  static async attach(
    port: number,
    features = 'multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386',
  ): Promise<RspClient> {
    const client = await RspClient.connect(port);
    await client.request(`qSupported:${features}`);
    const reply = await client.request('QStartNoAckMode');
    if (reply !== 'OK') throw new Error(`QStartNoAckMode: ${reply}`);
    client.#acknowledging = false;
    return client;
  }

  send(body: string): void {
    this.sendRaw(frame(body));
  }

  /** Bytes as they are: broken frames, the interrupt byte, other protocols. */
  sendRaw(bytes: string): void {
    this.#socket.write(bytes, 'latin1');
  }

  interrupt(): void {
    this.sendRaw('\x03');
  }

  /** The next packet from the server, or undefined once it has closed the connection. */
  receive(patience = 20_000): Promise<string | undefined> {
    const packet = this.#packets.shift();
    if (packet !== undefined) return Promise.resolve(packet);
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no packet within ${patience} ms`)), patience);
      this.#waiting.push((next) => {
        clearTimeout(timer);
        resolve(next);
      });
    });
  }

  async request(body: string): Promise<string> {
    this.send(body);
    const reply = await this.receive();
    if (reply === undefined) throw new Error(`connection closed instead of a reply to ${body}`);
    return reply;
  }

  /** The next stop or exit reply; console output on the way is dropped. */
  async stop(): Promise<string> {
    for (;;) {
      const reply = await this.receive();
      if (reply === undefined) throw new Error('connection closed instead of a stop reply');
      if (!/^O[0-9a-f]/.test(reply)) return reply;
    }
  }

  resume(action: string): Promise<string> {
    this.send(`vCont;${action}`);
    return this.stop();
  }

  /** Vanishes as a killed client does, mid-packet or not. */
  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.end();
  }

  #end(): void {
    this.#ended = true;
    for (const deliver of this.#waiting.splice(0)) deliver(undefined);
  }

  #take(text: string): void {
    this.#received += text;
    for (;;) {
      const match = /^(?:([+-])|\$([^#]*)#[0-9a-fA-F]{2}|%([^#]*)#[0-9a-fA-F]{2})/.exec(this.#received);
      if (match === null) return;
      this.#received = this.#received.slice(match[0].length);
      const [, acknowledgement, body, notification] = match;
      if (acknowledgement !== undefined) this.acknowledgements += acknowledgement;
      else if (notification !== undefined) this.notifications.push(decode(notification));
      else this.#deliver(decode(body ?? ''));
    }
  }

  #deliver(packet: string): void {
    if (this.#acknowledging) this.sendRaw('+');
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#packets.push(packet);
    else waiting(packet);
  }
}

/** Undoes escapes and run lengths (gdb manual, node Overview of the remote protocol). */
function decode(body: string): string {
  let result = '';
  for (let i = 0; i < body.length; i++) {
    const byte = body.charAt(i);
    if (byte === '}') {
      i += 1;
      result += String.fromCharCode(body.charCodeAt(i) ^ 0x20);
    } else if (byte === '*') {
      i += 1;
      result += result.slice(-1).repeat(body.charCodeAt(i) - 29);
    } else result += byte;
  }
  return result;
}
