/** fcntl(2) and ioctl(2) as far as they do not depend on the kind of file (fs/fcntl.c, fs/ioctl.c). */
import type { Tid } from '../../../types.js';
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../errno.js';
import type { SyscallContext, SyscallResult, SyscallRow } from '../syscall-table.js';
import { duplicate } from './descriptor-calls.js';
import { anyFileAt, fileAt } from './descriptors.js';
import { filesOf } from './file-table.js';
import { abandonLock, interruptLock, type LockCommand, lockBytes, resumeLock, testLock } from './lock-calls.js';
import { O, type OpenFile } from './open-file.js';
import { ownsFile } from './permission.js';

const F = {
  DUPFD: 0, GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, GETLK: 5, SETLK: 6, SETLKW: 7, SETOWN: 8, GETOWN: 9, SETSIG: 10, GETSIG: 11, SETOWN_EX: 15,
  GETOWN_EX: 16, OFD_GETLK: 36, OFD_SETLK: 37, OFD_SETLKW: 38, DUPFD_CLOEXEC: 1030,
} as const; // biome-ignore format: a table

const FD_CLOEXEC = 1;
/** What F_SETFL changes. */
const SETTABLE = O.APPEND | O.NONBLOCK | O.ASYNC | O.DIRECT | O.NOATIME;
/** Commands that O_PATH descriptors have. */
const PATH_COMMANDS: ReadonlySet<number> = new Set([F.DUPFD, F.DUPFD_CLOEXEC, F.GETFD, F.SETFD, F.GETFL]);

type Command = (context: SyscallContext, file: OpenFile, argument: number) => SyscallResult;

function setDescriptorFlags({ process, args }: SyscallContext, _file: OpenFile, argument: number): number {
  const descriptor = filesOf(process).descriptor((args[0] as number) | 0);
  if (descriptor !== undefined) descriptor.closeOnExec = (argument & FD_CLOEXEC) !== 0;
  return 0;
}

function getDescriptorFlags({ process, args }: SyscallContext): number {
  return filesOf(process).descriptor((args[0] as number) | 0)?.closeOnExec === true ? FD_CLOEXEC : 0;
}

function setStatusFlags({ machine, process }: SyscallContext, file: OpenFile, argument: number): number {
  const stat = argument & ~file.flags & O.NOATIME ? file.stat() : undefined;
  if (typeof stat === 'object' && !ownsFile(machine, process, stat)) return -EPERM;
  file.flags = (file.flags & ~SETTABLE) | (argument & SETTABLE);
  return 0;
}

const OWNER = { TID: 0, PID: 1, PGRP: 2 } as const;

function setOwner({ machine }: SyscallContext, file: OpenFile, argument: number): number {
  const owner = argument | 0;
  if (owner !== 0 && !exists(machine, owner)) return -ESRCH;
  file.owner = owner;
  file.ownerIsThread = false;
  return 0;
}

/** A thread or process, or with a negative number a group. */
function exists({ threads, processes }: SyscallContext['machine'], owner: number): boolean {
  if (owner > 0) return threads.has(owner as Tid);
  for (const { pgid } of processes.values()) if (pgid === -owner) return true;
  return false;
}

/** struct f_owner_ex: type, id. */
function setOwnerEx(context: SyscallContext, file: OpenFile, argument: number): number {
  const type = context.memory.readU32(argument);
  const id = context.memory.readU32(argument + 4);
  if (type === undefined || id === undefined) return -EFAULT;
  if (type > OWNER.PGRP) return -EINVAL;
  const result = setOwner(context, file, type === OWNER.PGRP ? -(id | 0) : id | 0);
  if (result === 0) file.ownerIsThread = type === OWNER.TID;
  return result;
}

function getOwnerEx({ memory }: SyscallContext, file: OpenFile, argument: number): number {
  const type = file.owner < 0 ? OWNER.PGRP : file.ownerIsThread ? OWNER.TID : OWNER.PID;
  const bytes = new Uint8Array(Int32Array.of(type, Math.abs(file.owner)).buffer);
  return memory.writeBytes(argument, bytes) ? 0 : -EFAULT;
}

function setSignal(_context: SyscallContext, file: OpenFile, argument: number): number {
  if (argument < 0 || argument > 64) return -EINVAL;
  file.ownerSignal = argument;
  return 0;
}

function dup(context: SyscallContext, file: OpenFile, argument: number, closeOnExec: boolean): number {
  return argument < 0 || argument > 0x7fff_ffff ? -EINVAL : duplicate(context, file, closeOnExec, argument);
}

function locking(command: LockCommand): Command {
  return (context, file, argument) => lockBytes(context, file, argument, command);
}

const commands: ReadonlyMap<number, Command> = new Map<number, Command>([
  [F.DUPFD, (context, file, argument) => dup(context, file, argument, false)],
  [F.DUPFD_CLOEXEC, (context, file, argument) => dup(context, file, argument, true)],
  [F.GETFD, getDescriptorFlags],
  [F.SETFD, setDescriptorFlags],
  [F.GETFL, (_context, file) => file.flags],
  [F.SETFL, setStatusFlags],
  [F.GETLK, (context, file, argument) => testLock(context, file, argument, false)],
  [F.SETLK, locking({ waits: false, ofFile: false })],
  [F.SETLKW, locking({ waits: true, ofFile: false })],
  [F.OFD_GETLK, (context, file, argument) => testLock(context, file, argument, true)],
  [F.OFD_SETLK, locking({ waits: false, ofFile: true })],
  [F.OFD_SETLKW, locking({ waits: true, ofFile: true })],
  [F.SETOWN, setOwner],
  [F.GETOWN, (_context, file) => file.owner],
  [F.SETSIG, setSignal],
  [F.GETSIG, (_context, file) => file.ownerSignal],
  [F.SETOWN_EX, setOwnerEx],
  [F.GETOWN_EX, getOwnerEx],
]);

function fcntl(context: SyscallContext): SyscallResult {
  const command = (context.args[1] as number) >>> 0;
  const argument = context.args[2] as number;
  const file = PATH_COMMANDS.has(command) ? anyFileAt(context) : fileAt(context);
  if (file === undefined) return -EBADF;
  const run = commands.get(command);
  return run === undefined ? file.fcntl(context, command, argument) : run(context, file, argument);
}

const IOCTL = { FIONCLEX: 0x5450, FIOCLEX: 0x5451, FIONBIO: 0x5421, FIOASYNC: 0x5452 } as const;

function ioctl(context: SyscallContext): SyscallResult {
  const [, request, argument] = context.args as [number, number, number];
  const file = fileAt(context);
  if (file === undefined) return -EBADF;
  switch (request >>> 0) {
    case IOCTL.FIOCLEX:
      return setDescriptorFlags(context, file, FD_CLOEXEC);
    case IOCTL.FIONCLEX:
      return setDescriptorFlags(context, file, 0);
    case IOCTL.FIONBIO:
      return switchFlag(context, file, argument, O.NONBLOCK);
    case IOCTL.FIOASYNC:
      return switchFlag(context, file, argument, O.ASYNC);
    default:
      return file.ioctl(context, request >>> 0, argument);
  }
}

/** An int in memory says whether the status flag is on. */
function switchFlag({ memory }: SyscallContext, file: OpenFile, at: number, flag: number): number {
  const on = memory.readU32(at);
  if (on === undefined) return -EFAULT;
  file.flags = on !== 0 ? file.flags | flag : file.flags & ~flag;
  return 0;
}

export const fcntlSyscalls: readonly SyscallRow[] = [
  { nr: 16, name: 'ioctl', run: ioctl },
  { nr: 72, name: 'fcntl', run: fcntl, resume: resumeLock, interrupt: interruptLock, abandon: abandonLock },
];
