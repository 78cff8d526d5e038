/** prctl(2), arch_prctl(2), personality(2). */
import { TASK_SIZE } from '../../types.js';
import { SIGNAL_COUNT } from '../signals.js';
import { EFAULT, EINVAL, ENODEV, EPERM } from './errno.js';
import { KEEP_CAPS } from './identity.js';
import { CAP, capable } from './identity-checks.js';
import type { SyscallContext, SyscallRow } from './syscall-table.js';

type Option = (context: SyscallContext, a: number, b: number, c: number, d: number) => number;

const NAME_BYTES = 16;

function setName({ thread, memory }: SyscallContext, at: number): number {
  const bytes = new Uint8Array(NAME_BYTES);
  if (memory.read(at, bytes) === 0) return -EFAULT;
  const end = bytes.indexOf(0);
  thread.name = latin1(bytes.subarray(0, Math.min(end < 0 ? NAME_BYTES : end, NAME_BYTES - 1)));
  return 0;
}

/** Names are bytes; one character each keeps them exact. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function getName({ thread, memory }: SyscallContext, at: number): number {
  const bytes = new Uint8Array(NAME_BYTES);
  for (let i = 0; i < Math.min(thread.name.length, NAME_BYTES - 1); i++) bytes[i] = thread.name.charCodeAt(i);
  return memory.writeBytes(at, bytes) ? 0 : -EFAULT;
}

function setDeathSignal({ thread }: SyscallContext, signal: number): number {
  if (signal < 0 || signal > SIGNAL_COUNT) return -EINVAL;
  thread.parentDeathSignal = signal;
  return 0;
}

function setDumpable({ process }: SyscallContext, value: number): number {
  if (value !== 0 && value !== 1) return -EINVAL;
  process.dumpable = value;
  return 0;
}

function setKeepCaps({ process }: SyscallContext, value: number): number {
  if (value !== 0 && value !== 1) return -EINVAL;
  process.keepCapabilities = value === 1;
  const bits = process.credentials.securebits & ~KEEP_CAPS;
  process.credentials.securebits = value === 1 ? bits | KEEP_CAPS : bits;
  return 0;
}

function boundingDrop({ process }: SyscallContext, capability: number): number {
  if (!capable(process, CAP.SETPCAP)) return -EPERM;
  if (capability < 0 || capability > CAP.LAST) return -EINVAL;
  process.credentials.capabilities.bounding &= ~(1n << BigInt(capability));
  return 0;
}

function boundingRead({ process }: SyscallContext, capability: number): number {
  if (capability < 0 || capability > CAP.LAST) return -EINVAL;
  return Number((process.credentials.capabilities.bounding >> BigInt(capability)) & 1n);
}

const AMBIENT = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const;

function ambient({ process }: SyscallContext, operation: number, capability: number): number {
  const { capabilities } = process.credentials;
  if (operation === AMBIENT.CLEAR_ALL) {
    capabilities.ambient = 0n;
    return 0;
  }
  if (capability < 0 || capability > CAP.LAST) return -EINVAL;
  const one = 1n << BigInt(capability);
  if (operation === AMBIENT.IS_SET) return capabilities.ambient & one ? 1 : 0;
  if (operation === AMBIENT.LOWER) capabilities.ambient &= ~one;
  else if (operation !== AMBIENT.RAISE) return -EINVAL;
  else if ((capabilities.permitted & capabilities.inheritable & one) === 0n) return -EPERM;
  else capabilities.ambient |= one;
  return 0;
}

function setNoNewPrivileges({ process }: SyscallContext, value: number, b: number, c: number, d: number): number {
  if (value !== 1 || b !== 0 || c !== 0 || d !== 0) return -EINVAL;
  process.credentials.noNewPrivileges = true;
  return 0;
}

function setTimerSlack({ process }: SyscallContext, ns: number): number {
  process.timerSlack = ns <= 0 ? 50_000 : ns;
  return 0;
}

const store =
  (value: (context: SyscallContext) => number): Option =>
  (context, at) =>
    context.memory.writeU32(at, value(context)) ? 0 : -EFAULT;

const PR_TSC_ENABLE = 1;
const PR_MCE_KILL_DEFAULT = 2;

/** Options by number (linux/prctl.h); one that is not here is EINVAL, as in a kernel without it. */
const OPTIONS: ReadonlyMap<number, Option> = new Map<number, Option>([
  [1, setDeathSignal],
  [2, store(({ thread }) => thread.parentDeathSignal)],
  [3, ({ process }) => process.dumpable],
  [4, setDumpable],
  [7, ({ process }) => (process.keepCapabilities ? 1 : 0)],
  [8, setKeepCaps],
  // PR_SET_TIMING, PR_GET_TIMING: statistical timing is the only kind.
  [13, () => 0],
  [14, (_context, method) => (method === 0 ? 0 : -EINVAL)],
  [15, setName],
  [16, getName],
  // PR_GET_SECCOMP: off.
  [21, () => 0],
  [23, boundingRead],
  [24, boundingDrop],
  [25, store(() => PR_TSC_ENABLE)],
  [26, (_context, mode) => (mode === PR_TSC_ENABLE ? 0 : -EINVAL)],
  [27, ({ process }) => process.credentials.securebits],
  [29, setTimerSlack],
  [30, ({ process }) => process.timerSlack],
  [34, () => PR_MCE_KILL_DEFAULT],
  [36, ({ process }, value) => { process.subreaper = value !== 0; return 0; }],
  [37, store(({ process }) => (process.subreaper ? 1 : 0))],
  [38, setNoNewPrivileges],
  [39, ({ process }) => (process.credentials.noNewPrivileges ? 1 : 0)],
  // PR_SET_THP_DISABLE, PR_GET_THP_DISABLE: there are no huge pages.
  [41, () => 0],
  [42, () => 0],
  [47, ambient],
  // PR_SET_PTRACER (Yama): nobody traces from inside.
  [0x5961_6d61, () => 0],
  // PR_SET_VMA: names of anonymous mappings are not kept; EINVAL as without CONFIG_ANON_VMA_NAME.
]); // biome-ignore format: a table

function prctl(context: SyscallContext): number {
  const [option, a, b, c, d] = context.args as [number, number, number, number, number];
  return OPTIONS.get(option >>> 0)?.(context, a, b, c, d) ?? -EINVAL;
}

const ARCH = {
  SET_GS: 0x1001,
  SET_FS: 0x1002,
  GET_FS: 0x1003,
  GET_GS: 0x1004,
  GET_CPUID: 0x1011,
  SET_CPUID: 0x1012,
} as const;

function archPrctl({ machine, thread, memory, args }: SyscallContext): number {
  const [code, at] = args as [number, number];
  const { abi } = machine;
  switch (code | 0) {
    case ARCH.SET_FS:
    case ARCH.SET_GS: {
      if (at < 0 || at >= TASK_SIZE) return -EPERM;
      if ((code | 0) === ARCH.SET_FS) abi.setThreadPointer(thread.cpu, at);
      else abi.setSecondPointer(thread.cpu, at);
      return 0;
    }
    case ARCH.GET_FS:
      return memory.writeU64(at, abi.threadPointer(thread.cpu)) ? 0 : -EFAULT;
    case ARCH.GET_GS:
      return memory.writeU64(at, abi.secondPointer(thread.cpu)) ? 0 : -EFAULT;
    case ARCH.GET_CPUID:
      return 1;
    case ARCH.SET_CPUID:
      return -ENODEV;
    default:
      return -EINVAL;
  }
}

const PERSONALITY_QUERY = 0xffff_ffff;

function personality({ process, args }: SyscallContext): number {
  const before = process.personality;
  const next = (args[0] as number) >>> 0;
  if (next !== PERSONALITY_QUERY) process.personality = next;
  return before;
}

export const prctlSyscalls: readonly SyscallRow[] = [
  { nr: 135, name: 'personality', run: personality },
  { nr: 157, name: 'prctl', run: prctl },
  { nr: 158, name: 'arch_prctl', run: archPrctl },
];
