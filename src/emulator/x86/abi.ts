/** The Linux x86-64 convention (x86/entry: arguments in rdi rsi rdx r10 r8 r9, number in rax, `syscall` clobbers rcx and r11). */
import { GPR, SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';
import type { GuestAbi, GuestFacts } from '../guest-abi.js';
import type { Model } from '../guest-arch.js';
import { cpuInfo } from './cpu-info.js';
import { cpuid } from './cpuid.js';
import { type FrameState, FXSAVE_FRAME, initFpu, XSAVE_FRAME } from './fpu-image.js';
import {
  enterHandler,
  type FlagAccess,
  FRAME_BYTES,
  onAltStack,
  returnFromHandler,
  USER_CS,
  USER_DS,
} from './signal-frame.js';

const ARGUMENTS = [GPR.RDI, GPR.RSI, GPR.RDX, GPR.R10, GPR.R8, GPR.R9].map((n) => SLOT.GPR + 8 * n);
const RAX = SLOT.GPR + 8 * GPR.RAX;
const RCX = SLOT.GPR + 8 * GPR.RCX;
const R11 = SLOT.GPR + 8 * GPR.R11;
const INT3 = 0xcc;
/** Bytes of the longest instruction. */
const MAX_LENGTH = 15;
/** Bytes of `syscall`. */
const SYSCALL_LENGTH = 2;
/** IF and the bit that is always one. */
const INITIAL_FLAGS = 0x202;
const RF = 0x1_0000;

function start(cpu: CpuState, flags: FlagAccess, entry: number, stack: number): void {
  for (let n = 0; n < 16; n++) cpu.setNum(SLOT.GPR + 8 * n, 0);
  for (let n = 0; n < 6; n++) cpu.setInt(SLOT.SEG + 4 * n, 0);
  cpu.setInt(SLOT.SEG, USER_CS);
  cpu.setInt(SLOT.SEG + 4, USER_DS);
  cpu.setNum(SLOT.FS_BASE, 0);
  cpu.setNum(SLOT.GS_BASE, 0);
  initFpu(cpu);
  flags.setFlags(cpu, INITIAL_FLAGS);
  cpu.rip = entry;
  cpu.rsp = stack;
}

function enterSyscall(cpu: CpuState, flags: FlagAccess): void {
  const next = cpu.rip + SYSCALL_LENGTH;
  cpu.rip = next;
  cpu.setNum(RCX, next);
  cpu.setNum(R11, flags.getFlags(cpu) & ~RF);
  // The kernel takes the number as an int: the upper half of rax does not matter.
  cpu.setNum(SLOT.ORIG_RAX, cpu.int(RAX));
}

function syscall(cpu: CpuState, args: number[]): number {
  for (let i = 0; i < 6; i++) args[i] = cpu.signed(ARGUMENTS[i] as number);
  return cpu.int(SLOT.ORIG_RAX);
}

/** There may be prefixes in front of the int3, which mean nothing. */
function passBreakpoint(cpu: CpuState, byteAt: (address: number) => number | undefined): void {
  const { rip } = cpu;
  let at = rip;
  while (at < rip + MAX_LENGTH && byteAt(at) !== INT3) at++;
  cpu.rip = at < rip + MAX_LENGTH ? at + 1 : rip + 1;
}

function restart(cpu: CpuState, nr: number): void {
  cpu.setNum(RAX, nr);
  cpu.rip = cpu.rip - SYSCALL_LENGTH;
}

const EM_X86_64 = 62;
/** RDFSBASE and its kin may be used (asm/hwcap2.h). */
const HWCAP2_FSGSBASE = 2;

function facts(state: FrameState, model: Model): GuestFacts {
  // get_sigframe_size: the frame and the state behind it, each with the worst padding of its alignment.
  const frame = FRAME_BYTES + 15 + state.bytes + 63;
  return {
    elfMachine: EM_X86_64,
    platform: 'x86_64',
    // The same in both models.
    hwcap: cpuid(1, 0, 'base')[3],
    hwcap2: HWCAP2_FSGSBASE,
    cpuInfo: cpuInfo(model),
    minimumSignalStack: frame + (-frame & 15),
  };
}

/** The convention over an execution engine that holds the flags; with AVX, signal frames hold the whole vector registers. */
export function linuxX86Abi(flags: FlagAccess, avx = false): GuestAbi {
  const format = { flags, state: avx ? XSAVE_FRAME : FXSAVE_FRAME };
  return {
    facts: facts(format.state, avx ? 'v3' : 'base'),
    start: (cpu, entry, stack) => start(cpu, flags, entry, stack),
    enterSyscall: (cpu) => enterSyscall(cpu, flags),
    syscall,
    syscallNumber: (cpu) => cpu.int(SLOT.ORIG_RAX),
    leaveSyscall: (cpu) => cpu.setNum(SLOT.ORIG_RAX, -1),
    result: (cpu) => cpu.signed(RAX),
    setResult: (cpu, value) => cpu.setNum(RAX, value),
    restart,
    passBreakpoint,
    setStack: (cpu, stack) => {
      cpu.rsp = stack;
    },
    setThreadPointer: (cpu, base) => cpu.setNum(SLOT.FS_BASE, base),
    threadPointer: (cpu) => cpu.big(SLOT.FS_BASE),
    setSecondPointer: (cpu, base) => cpu.setNum(SLOT.GS_BASE, base),
    secondPointer: (cpu) => cpu.big(SLOT.GS_BASE),
    enterHandler: (cpu, memory, call) => enterHandler(cpu, memory, format, call),
    returnFromHandler: (cpu, memory) => returnFromHandler(cpu, memory, format),
    onAltStack: (cpu, stack) => onAltStack(cpu.rsp, stack),
  };
}
