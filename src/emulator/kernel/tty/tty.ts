/** A terminal: attributes, size, session, line discipline. Its device is a pseudo-terminal's other side (pty.ts) or the host's terminal (host-tty.ts). */
import type { Machine } from '../../machine.js';
import { kernelInfo, SIGNAL } from '../../signals.js';
import { EPERM } from '../errno.js';
import { POLL } from '../file/open-file.js';
import { sendToGroup } from '../signal-send.js';
import { ANY_EVENT, type WaitKey } from '../wait.js';
import { type DisciplineOwner, LineDiscipline } from './line-discipline.js';
import { OutputProcessor, WIDEST } from './output.js';
import { flowNews, PACKET } from './packet-mode.js';
import { CC, isSet, LFLAG, STANDARD, type Termios } from './termios.js';

/** struct winsize: rows, columns, and the pixels of both. */
export type WindowSize = readonly [rows: number, columns: number, width: number, height: number];

const INPUT = POLL.IN | POLL.RDNORM;
const DECISECOND = 100_000_000;

export abstract class Tty implements DisciplineOwner {
  readonly key: WaitKey;
  termios: Termios = STANDARD;
  size: WindowSize = [0, 0, 0, 0];
  /** Session that it controls, and the group in its foreground; 0: none. */
  session = 0;
  foreground = 0;
  /** Descriptions that have it open. */
  users = 0;
  /** TIOCEXCL: nobody else may open it. */
  exclusiveUse = false;
  /** After a hangup the files that are open stay dead; the next open begins anew. */
  generation = 0;
  protected readonly discipline = new LineDiscipline(this);
  private readonly output = new OutputProcessor();
  private stopped = false;
  /** Echo that waits for XON. */
  private heldEcho: number[] = [];
  /** Echo of the input that is being taken in. */
  private newEcho: number[] | undefined;

  constructor(
    protected readonly machine: Machine,
    /** Its device number, by which processes know it. */
    readonly id: number,
    readonly path: string,
  ) {
    this.key = machine.newWaitKey();
  }

  /** Bytes that the device takes now. */
  protected abstract get deviceRoom(): number;
  protected abstract transmit(bytes: readonly number[]): void;

  /** News (PACKET) for the other side of a pseudo-terminal. */
  tell(_news: number): void {}

  /** 0 or -errno, as of any file (OpenFile). */
  setMode(_mode: number): number {
    return -EPERM;
  }

  setOwner(_uid: number, _gid: number): number {
    return -EPERM;
  }

  get column(): number {
    return this.output.column;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** Bytes taken; 0: there is no room. */
  write(from: Uint8Array): number {
    let done = 0;
    const out: number[] = [];
    const room = this.stopped ? 0 : this.deviceRoom;
    while (done < from.length && out.length + WIDEST <= room) {
      out.push(...this.output.process(this.termios, from[done] as number));
      done++;
    }
    if (out.length > 0) this.transmit(out);
    return done;
  }

  echo(bytes: readonly number[]): void {
    if (this.stopped) this.heldEcho.push(...bytes);
    else {
      const out = bytes.flatMap((byte) => this.output.process(this.termios, byte));
      if (this.newEcho === undefined) this.transmit(out);
      else this.newEcho.push(...out);
    }
  }

  dropEcho(): void {
    this.heldEcho = [];
    if (this.newEcho !== undefined) this.newEcho = [];
  }

  get canWrite(): boolean {
    return !this.stopped && this.deviceRoom >= WIDEST;
  }

  /** XOFF, XON; TCXONC. */
  pause(stopped: boolean): void {
    if (this.stopped === stopped) return;
    this.stopped = stopped;
    if (!stopped) this.echo(this.heldEcho.splice(0));
    this.tell(stopped ? PACKET.STOP : PACKET.START);
    this.changed();
  }

  signal(signal: number): void {
    if (this.foreground !== 0) sendToGroup(this.machine, this.foreground, kernelInfo(signal));
  }

  /** Bytes came from the device. How many were taken. */
  receive(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.discipline.room);
    this.newEcho = [];
    this.discipline.receive(taken);
    const echo = this.newEcho;
    this.newEcho = undefined;
    if (echo.length > 0) this.transmit(echo);
    const { min, time } = this.patience;
    if (min > 1 && time > 0) this.machine.wakeAt(this.machine.clock.monotonic + time, this.key);
    this.lastInput = this.machine.clock.monotonic;
    this.changed(INPUT);
    return taken.length;
  }

  private lastInput = 0;

  /** VMIN, and VTIME in ns; both 0 in canonical mode. */
  get patience(): { readonly min: number; readonly time: number } {
    if (isSet(this.termios, LFLAG.ICANON)) return { min: 0, time: 0 };
    return { min: this.termios.cc[CC.MIN] ?? 0, time: (this.termios.cc[CC.TIME] ?? 0) * DECISECOND };
  }

  /** Something for a read of so many bytes at most? */
  isReadable(limit: number): boolean {
    const { min, time } = this.patience;
    if (this.discipline.isReady(Math.max(1, Math.min(min, limit)))) return true;
    const waited = this.machine.clock.monotonic - this.lastInput;
    return min > 0 && time > 0 && this.discipline.isReady(1) && waited >= time;
  }

  /** As poll has it: without a time limit VMIN bytes are needed. */
  get hasInput(): boolean {
    const { min, time } = this.patience;
    return this.discipline.isReady(time === 0 && min > 0 ? min : 1);
  }

  get available(): number {
    return this.discipline.available;
  }

  read(into: Uint8Array): number {
    const got = this.discipline.read(into);
    if (got > 0) this.inputTaken();
    return got;
  }

  /** The device may send again. */
  protected inputTaken(): void {}

  setTermios(termios: Termios): void {
    const before = this.termios;
    this.termios = termios;
    const canonical = isSet(termios, LFLAG.ICANON);
    if (canonical !== isSet(before, LFLAG.ICANON)) this.discipline.switched(canonical);
    this.tell(flowNews(before, termios));
    this.changed();
  }

  flushInput(): void {
    this.discipline.flush();
    this.inputTaken();
  }

  /** The foreground learns of a new size. */
  setSize(size: WindowSize): void {
    const same = size.every((value, i) => value === this.size[i]);
    this.size = size;
    if (!same) this.signal(SIGNAL.WINCH);
  }

  hangUp(): void {
    this.generation++;
    this.discipline.flush();
    this.stopped = false;
    this.termios = STANDARD;
    this.changed();
  }

  /** A description is gone. */
  released(): void {
    this.users--;
  }

  protected changed(events = ANY_EVENT): void {
    this.machine.wake(this.key, events);
  }
}
