/**
 * An epoll instance (fs/eventpoll.c): the files it watches, and those of them that may have something to tell, in the order in which they were woken.
 * What an interest in the ready list really has to tell is asked when somebody waits.
 */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import type { WaitKey, Watcher } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { type FileInterest, type OpenFile, POLL } from './open-file.js';

export const EPOLL = { EXCLUSIVE: 0x1000_0000, WAKEUP: 0x2000_0000, ONESHOT: 0x4000_0000, ET: 0x8000_0000 } as const;
/** The bits of `events` that are not events. */
const PRIVATE = EPOLL.EXCLUSIVE | EPOLL.WAKEUP | EPOLL.ONESHOT | EPOLL.ET;
const INPUT = POLL.IN | POLL.RDNORM;

/** One file under one number in one epoll instance. Lives until EPOLL_CTL_DEL or until the file has no user any more. */
export class EpollInterest implements Watcher, FileInterest {
  isReady = false;
  private keys: readonly WaitKey[] = [];

  constructor(
    private readonly machine: Machine,
    readonly epoll: EpollFile,
    readonly fd: number,
    readonly file: OpenFile,
    /** POLL bits, always with errors and hangups, and EPOLL bits; none of the former: disarmed by EPOLLONESHOT. */
    public events: number,
    /** The program's own 64 bits. */
    public data: bigint,
  ) {}

  get exclusive(): boolean {
    return (this.events & EPOLL.EXCLUSIVE) !== 0;
  }

  get isEdgeTriggered(): boolean {
    return (this.events & EPOLL.ET) !== 0;
  }

  /** What there is to tell now. */
  poll(asker: Thread): number {
    return this.file.poll(asker) & this.events & ~PRIVATE;
  }

  begin(asker: Thread): void {
    this.keys = this.file.pollKeys(asker);
    for (const key of this.keys) this.machine.watch(key, this);
    this.file.addInterest(this);
  }

  end(): void {
    for (const key of this.keys) this.machine.unwatch(key, this);
    this.file.removeInterest(this);
  }

  /** EPOLLONESHOT: told once; EPOLL_CTL_MOD arms it again. */
  disarm(): void {
    this.events &= PRIVATE;
  }

  woken(events: number): boolean {
    return (events & this.events & ~PRIVATE) !== 0 && this.epoll.noteReady(this);
  }

  fileClosed(): void {
    this.epoll.remove(this);
  }
}

export class EpollFile extends AnonymousFile {
  /** By descriptor number: several, when a number was closed and used again while the file lived on. */
  private readonly watching = new Map<number, EpollInterest[]>();
  private readyList: EpollInterest[] = [];

  constructor(machine: Machine) {
    super(machine, 0, '[eventpoll]');
  }

  find(fd: number, file: OpenFile): EpollInterest | undefined {
    return this.watching.get(fd)?.find((interest) => interest.file === file);
  }

  /** In order of descriptor numbers' first use. */
  get interestsNow(): readonly EpollInterest[] {
    return [...this.watching.values()].flat();
  }

  add(interest: EpollInterest, asker: Thread): void {
    const others = this.watching.get(interest.fd);
    if (others === undefined) this.watching.set(interest.fd, [interest]);
    else others.push(interest);
    interest.begin(asker);
    this.reconsider(interest, asker);
  }

  remove(interest: EpollInterest): void {
    const left = this.watching.get(interest.fd)?.filter((other) => other !== interest) ?? [];
    if (left.length > 0) this.watching.set(interest.fd, left);
    else this.watching.delete(interest.fd);
    if (interest.isReady) this.readyList = this.readyList.filter((other) => other !== interest);
    interest.end();
  }

  /** The interest is new or was changed: what holds already counts as news. */
  reconsider(interest: EpollInterest, asker: Thread): void {
    if (interest.poll(asker) !== 0) this.noteReady(interest);
  }

  /** The file was woken. True when somebody slept on this instance. */
  noteReady(interest: EpollInterest): boolean {
    if (!interest.isReady) {
      interest.isReady = true;
      this.readyList.push(interest);
    }
    const slept = this.machine.waitersOf(this.key).length > 0;
    this.changed(INPUT);
    return slept;
  }

  /**
   * Takes up to `limit` interests that have something to tell, in order, and gives them to `tell` until it answers false. Level-triggered ones go
   * to the end of the list and are asked again next time.
   */
  collect(asker: Thread, limit: number, tell: (interest: EpollInterest, events: number) => boolean): number {
    const list = this.readyList;
    const again: EpollInterest[] = [];
    let count = 0;
    let next = 0;
    for (; next < list.length && count < limit; next++) {
      const interest = list[next] as EpollInterest;
      interest.isReady = false;
      const events = interest.poll(asker);
      if (events === 0) continue;
      if (!tell(interest, events)) {
        interest.isReady = true;
        break;
      }
      count++;
      if (interest.events & EPOLL.ONESHOT) interest.disarm();
      else if (!interest.isEdgeTriggered) {
        interest.isReady = true;
        again.push(interest);
      }
    }
    this.readyList = [...list.slice(next), ...again];
    return count;
  }

  override poll(asker: Thread): number {
    return this.readyList.some((interest) => interest.poll(asker) !== 0) ? INPUT : 0;
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }

  protected override closed(): void {
    for (const interest of this.interestsNow) interest.end();
    this.watching.clear();
    this.readyList = [];
  }
}
