/** signalfd(2), signalfd4(2): pending signals read as records (fs/signalfd.c). Each reader sees its own: those of its thread and its process. */
import type { Machine } from '../../machine.js';
import { type SigInfo, type SigSet, UNBLOCKABLE } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { EBADF, EFAULT, EINVAL } from '../errno.js';
import { readSigSet } from '../signal.js';
import { dequeueSignal } from '../signal-dequeue.js';
import { recalculatePending } from '../signal-send.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { filesOf, install } from './file-table.js';
import { type IoResult, O, POLL, WAIT } from './open-file.js';

/** sizeof(struct signalfd_siginfo). */
const RECORD = 128;
const SIGSET_BYTES = 8;

class SignalFile extends AnonymousFile {
  constructor(
    machine: Machine,
    flags: number,
    private mask: SigSet,
  ) {
    super(machine, flags, '[signalfd]');
  }

  setMask(mask: SigSet): void {
    this.mask = mask;
    this.changed(POLL.IN);
  }

  override read(into: Uint8Array, { machine, thread }: SyscallContext): IoResult {
    if (into.length < RECORD) return -EINVAL;
    let done = 0;
    while (done + RECORD <= into.length) {
      const info = dequeueSignal(machine, thread, this.mask);
      if (info === undefined) break;
      into.set(record(info), done);
      done += RECORD;
    }
    recalculatePending(thread);
    return done === 0 ? WAIT : done;
  }

  override poll({ pending, process }: Thread): number {
    return (pending.set | process.pending.set) & this.mask ? POLL.IN : 0;
  }

  override pollKeys({ process }: Thread): readonly WaitKey[] {
    return [this.key, process.signalKey];
  }

  override sleepKeys(sleeper: Thread): readonly WaitKey[] {
    return this.pollKeys(sleeper);
  }
}

/** struct signalfd_siginfo (linux/signalfd.h). */
function record({ signal, errno, code, fields }: SigInfo): Uint8Array {
  const bytes = new Uint8Array(RECORD);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signal, true);
  view.setInt32(4, errno, true);
  view.setInt32(8, code, true);
  putFields(view, fields);
  return bytes;
}

function putFields(view: DataView, fields: SigInfo['fields']): void {
  if ('pid' in fields) view.setUint32(12, fields.pid, true);
  if ('uid' in fields) view.setUint32(16, fields.uid, true);
  if ('value' in fields) putValue(view, fields.value);
  switch (fields.kind) {
    case 'timer':
      view.setUint32(24, fields.id, true);
      view.setUint32(32, fields.overrun, true);
      return;
    case 'child':
      view.setInt32(40, fields.status, true);
      view.setBigUint64(56, BigInt(fields.utime), true);
      view.setBigUint64(64, BigInt(fields.stime), true);
      return;
    case 'fault':
      view.setBigUint64(72, BigInt.asUintN(64, BigInt(fields.address)), true);
      return;
    case 'poll':
      view.setUint32(28, fields.band, true);
      view.setInt32(20, fields.fd, true);
      return;
    case 'raw':
      putRaw(view, fields.bytes);
  }
}

/** ssi_int is the low half of the value, ssi_ptr all of it. */
function putValue(view: DataView, value: bigint): void {
  view.setInt32(44, Number(BigInt.asIntN(32, value)), true);
  view.setBigUint64(48, BigInt.asUintN(64, value), true);
}

/** What a program queued with a code of its own is read as pid, uid, value: the layout of rt_sigqueueinfo. */
function putRaw(view: DataView, bytes: Uint8Array): void {
  const raw = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(12, raw.getUint32(0, true), true);
  view.setUint32(16, raw.getUint32(4, true), true);
  putValue(view, raw.getBigUint64(8, true));
}

function signalfd({ machine, process, memory, args }: SyscallContext, flags: number): number {
  const [fd, at, size] = args as [number, number, number];
  if (flags & ~(O.CLOEXEC | O.NONBLOCK) || size !== SIGSET_BYTES) return -EINVAL;
  const set = readSigSet(memory, at);
  if (set === undefined) return -EFAULT;
  const mask = set & ~UNBLOCKABLE;
  if ((fd | 0) === -1) {
    return install(process, new SignalFile(machine, flags & O.NONBLOCK, mask), (flags & O.CLOEXEC) !== 0);
  }
  const file = filesOf(process).get(fd | 0);
  if (file === undefined) return -EBADF;
  if (!(file instanceof SignalFile)) return -EINVAL;
  file.setMask(mask);
  return fd | 0;
}

export const signalfdSyscalls: readonly SyscallRow[] = [
  { nr: 282, name: 'signalfd', run: (context) => signalfd(context, 0) },
  { nr: 289, name: 'signalfd4', run: (context) => signalfd(context, (context.args[3] as number) | 0) },
];
