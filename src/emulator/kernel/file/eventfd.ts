/** eventfd(2), eventfd2(2): a 64-bit counter as a file (fs/eventfd.c). */
import type { Machine } from '../../machine.js';
import type { Thread } from '../../thread.js';
import { EINVAL } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { install } from './file-table.js';
import { type IoResult, O, POLL, WAIT } from './open-file.js';

const EFD_SEMAPHORE = 1;
/** The counter's highest value; ULLONG_MAX itself cannot be written. */
const HIGHEST = 0xffff_ffff_ffff_fffen;

class EventFile extends AnonymousFile {
  constructor(
    machine: Machine,
    flags: number,
    public count: bigint,
    private readonly semaphore: boolean,
  ) {
    super(machine, flags, '[eventfd]');
  }

  override read(into: Uint8Array): IoResult {
    if (into.length < 8) return -EINVAL;
    if (this.count === 0n) return WAIT;
    const value = this.semaphore ? 1n : this.count;
    this.count -= value;
    new DataView(into.buffer, into.byteOffset).setBigUint64(0, value, true);
    this.changed(POLL.OUT);
    return 8;
  }

  override write(from: Uint8Array): IoResult {
    if (from.length < 8) return -EINVAL;
    const value = new DataView(from.buffer, from.byteOffset).getBigUint64(0, true);
    if (value > HIGHEST) return -EINVAL;
    if (this.count + value > HIGHEST) return WAIT;
    this.count += value;
    this.changed(POLL.IN);
    return 8;
  }

  override poll(_asker: Thread): number {
    return (this.count > 0n ? POLL.IN : 0) | (this.count < HIGHEST ? POLL.OUT : 0);
  }

  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.key];
  }
}

function eventfd({ machine, process, args }: SyscallContext, flags: number): number {
  if (flags & ~(EFD_SEMAPHORE | O.CLOEXEC | O.NONBLOCK)) return -EINVAL;
  const count = BigInt((args[0] as number) >>> 0);
  const file = new EventFile(machine, flags & O.NONBLOCK, count, (flags & EFD_SEMAPHORE) !== 0);
  return install(process, file, (flags & O.CLOEXEC) !== 0);
}

export const eventfdSyscalls: readonly SyscallRow[] = [
  { nr: 284, name: 'eventfd', run: (context) => eventfd(context, 0) },
  { nr: 290, name: 'eventfd2', run: (context) => eventfd(context, (context.args[1] as number) | 0) },
];
