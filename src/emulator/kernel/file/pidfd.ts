import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { decodeSigInfo, SIGINFO_BYTES } from '../../siginfo.js';
import { killInfo, SI, SIGNAL_COUNT, type SigInfo } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../errno.js';
import { mayInspect, maySignal } from '../identity-checks.js';
import { processNumbered, threadNumbered } from '../pid-namespace.js';
import { sendToProcess } from '../signal-send.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import type { WaitKey } from '../wait.js';
import { AnonymousFile } from './anonymous.js';
import { fileAt } from './descriptors.js';
import { filesOf, install } from './file-table.js';
import { O, POLL } from './open-file.js';

export class PidFile extends AnonymousFile {
  constructor(
    machine: Machine,
    flags: number,
    readonly process: Process,
  ) {
    super(machine, flags, '[pidfd]');
  }

  override poll(_asker: Thread): number {
    return this.process.status === undefined ? 0 : POLL.IN | POLL.RDNORM;
  }

  /** The process's key of signals is woken at its end too. */
  override pollKeys(_asker: Thread): readonly WaitKey[] {
    return [this.process.signalKey];
  }
}

function open({ machine, process, args }: SyscallContext): number {
  const [pid, flags] = args.map((arg) => arg | 0) as [number, number];
  if (flags & ~O.NONBLOCK || pid <= 0) return -EINVAL;
  const target = processNumbered(machine, process, pid);
  if (target !== undefined) return install(process, new PidFile(machine, flags, target), true);
  return threadNumbered(machine, process, pid) !== undefined ? -EINVAL : -ESRCH;
}

/** The process that a descriptor names, or -EBADF. */
export function processAt(context: SyscallContext, fd: number): Process | number {
  const file = filesOf(context.process).get(fd);
  return file instanceof PidFile ? file.process : -EBADF;
}

function sendSignal(context: SyscallContext): number {
  const { machine, process, memory, args } = context;
  const [fd, signal, at, flags] = args as [number, number, number, number];
  if (flags !== 0) return -EINVAL;
  const target = processAt(context, fd | 0);
  if (typeof target === 'number') return target;
  const info =
    at === 0
      ? killInfo(signal | 0, process.pid, process.credentials.ruid)
      : givenInfo(context, memory.readBytes(at, SIGINFO_BYTES), target);
  if (typeof info === 'number') return info;
  if ((signal | 0) < 0 || (signal | 0) > SIGNAL_COUNT) return -EINVAL;
  if (target.status !== undefined && !machine.processes.has(target.pid)) return -ESRCH;
  if (!maySignal(process, target, signal | 0)) return -EPERM;
  return (signal | 0) === 0 ? 0 : sendToProcess(machine, target, info);
}

/** One may pretend to be the kernel, or kill(2), only towards oneself. */
function givenInfo(
  { process, args }: SyscallContext,
  bytes: Uint8Array | undefined,
  target: Process,
): SigInfo | number {
  if (bytes === undefined) return -EFAULT;
  const info = decodeSigInfo(bytes);
  if (info.signal !== ((args[1] as number) | 0)) return -EINVAL;
  return target !== process && (info.code >= 0 || info.code === SI.TKILL) ? -EPERM : info;
}

function getFile(context: SyscallContext): number {
  const { process, args } = context;
  const [, fd, flags] = args.map((arg) => arg | 0) as [number, number, number];
  if (flags !== 0) return -EINVAL;
  const file = fileAt(context);
  if (!(file instanceof PidFile)) return -EBADF;
  const { process: target } = file;
  if (target.status !== undefined) return -ESRCH;
  if (!mayInspect(process, target)) return -EPERM;
  const wanted = filesOf(target).get(fd);
  return wanted === undefined ? -EBADF : install(process, wanted.retain(), true);
}

export const pidfdSyscalls: readonly SyscallRow[] = [
  { nr: 424, name: 'pidfd_send_signal', run: sendSignal },
  { nr: 434, name: 'pidfd_open', run: open },
  { nr: 438, name: 'pidfd_getfd', run: getFile },
];
