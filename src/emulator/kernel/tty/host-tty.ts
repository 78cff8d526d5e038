/**
 * The terminal that the server was started on. Node can set it in two ways only: by lines, with the host's own editing, echo and signals; or raw. As long
 * as the guest's attributes are those of the first way, lines come from the host ready made and are fetched when somebody reads. With any other
 * attributes the terminal is raw, everything that is typed is fetched at once, and the line discipline here does the rest.
 */

import type { HostStreams } from '../../host/host.js';
import type { Machine } from '../../machine.js';
import { deviceNumber } from '../file/device-number.js';
import type { Watcher } from '../wait.js';
import { IFLAG, LFLAG, OFLAG, STANDARD, type Termios } from './termios.js';
import { Tty } from './tty.js';

const CONSOLE = deviceNumber(5, 1);
const CONSOLE_PATH = '/dev/console';
/** Flags that the host's own way has set, whatever else is. */
const LINES_LOCAL = LFLAG.ICANON | LFLAG.ECHO | LFLAG.ISIG | LFLAG.ECHOE | LFLAG.ECHOK;
const LINES_OUTPUT = OFLAG.OPOST | OFLAG.ONLCR;
const ROOM = 65_536;
const PIECE = 4096;
/** Vertical tab: goes down one line in the same column, and the host adds no carriage return to it. */
const [NL, VT] = [10, 11];

export class HostTty extends Tty implements Watcher {
  readonly exclusive = false;
  private fetching = false;
  private ended = false;

  constructor(
    machine: Machine,
    private readonly input: number,
    private readonly outputFd: number,
  ) {
    super(machine, CONSOLE, CONSOLE_PATH);
    this.termios = { ...STANDARD, iflag: STANDARD.iflag | IFLAG.IUTF8 };
    machine.hostKeys.set(`fd ${input}`, this.key);
    machine.hostKeys.set(`fd ${outputFd}`, this.key);
    machine.watch(this.key, this);
    this.size = this.hostSize() ?? this.size;
  }

  private get streams(): HostStreams {
    return this.machine.host.streams;
  }

  private hostSize(): readonly [number, number, number, number] | undefined {
    const size = this.streams.windowSize(this.outputFd);
    return size === undefined ? undefined : [size.rows, size.columns, 0, 0];
  }

  /** The host edits lines. */
  private get isByLines(): boolean {
    const { lflag, oflag, iflag } = this.termios;
    const lines = (lflag & LINES_LOCAL) === LINES_LOCAL && (oflag & LINES_OUTPUT) === LINES_OUTPUT;
    return lines && (iflag & IFLAG.ICRNL) !== 0;
  }

  override setTermios(termios: Termios): void {
    const before = this.isByLines;
    super.setTermios(termios);
    if (before === this.isByLines) return;
    this.streams.setRaw(this.input, !this.isByLines);
    this.woken();
  }

  /** By an event of the host, or by the guest itself: the same key serves both. */
  woken(): boolean {
    const size = this.hostSize();
    if (size !== undefined && (size[0] !== this.size[0] || size[1] !== this.size[1])) this.setSize(size);
    if (!this.isByLines) this.fetch();
    return false;
  }

  /** Takes what was typed: a line, or everything. */
  private fetch(): void {
    if (this.fetching || this.ended) return;
    this.fetching = true;
    const bytes = new Uint8Array(PIECE);
    for (;;) {
      const got = this.streams.read(this.input, bytes);
      if (got === 'pending') break;
      if (got <= 0) {
        this.ended = !this.isByLines;
        this.discipline.acceptLine(new Uint8Array());
        break;
      }
      if (this.isByLines) {
        this.discipline.acceptLine(bytes.slice(0, got));
        break;
      }
      this.receive(bytes.slice(0, got));
    }
    this.fetching = false;
  }

  override isReadable(limit: number): boolean {
    if (!super.isReadable(limit)) this.fetch();
    return super.isReadable(limit);
  }

  override get hasInput(): boolean {
    if (super.hasInput) return true;
    if (this.isByLines) return this.streams.poll(this.input) === 'ready';
    this.fetch();
    return super.hasInput;
  }

  protected get deviceRoom(): number {
    return ROOM;
  }

  /** The host's terminal always makes a carriage return of a new line. */
  protected transmit(bytes: readonly number[]): void {
    const translates = (this.termios.oflag & LINES_OUTPUT) === LINES_OUTPUT;
    const out = translates ? withoutReturns(bytes) : bytes.map((byte) => (byte === NL ? VT : byte));
    this.streams.write(this.outputFd, Uint8Array.from(out));
  }
}

/** Output processing has put carriage returns before new lines; the host does that again. */
function withoutReturns(bytes: readonly number[]): number[] {
  return bytes.filter((byte, i) => !(byte === 13 && bytes[i + 1] === NL));
}
