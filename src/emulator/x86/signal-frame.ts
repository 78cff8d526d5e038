/**
 * The frame that the kernel builds for a signal handler: struct rt_sigframe of arch/x86/kernel/signal_64.c. From the stack pointer up: the return
 * address (sa_restorer), ucontext, siginfo; above them, 64-byte aligned, the floating-point state that uc_mcontext.fpstate points to.
 */
import { GPR, SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';
import type { HandlerCall, ReturnedFrame } from '../guest-abi.js';
import type { UserMemory } from '../memory/user-memory.js';
import { encodeSigInfo, SIGINFO_BYTES } from '../siginfo.js';
import { SA } from '../signals.js';
import type { AltStack } from '../thread.js';
import { type FrameState, initFpu } from './fpu-image.js';

/** Offsets in the frame: struct ucontext at 8, its sigcontext_64 at 48. */
const UC = { FLAGS: 8, LINK: 16, STACK_SP: 24, STACK_FLAGS: 32, STACK_SIZE: 40, CONTEXT: 48, SIGMASK: 304 } as const;
const CONTEXT = {
  FLAGS: 136,
  CS: 144,
  GS: 146,
  FS: 148,
  SS: 150,
  ERR: 152,
  TRAPNO: 160,
  OLDMASK: 168,
  CR2: 176,
  FPSTATE: 184,
} as const;
const INFO = 312;
/** struct rt_sigframe. */
export const FRAME_BYTES = INFO + SIGINFO_BYTES;

/** Registers in the order of struct sigcontext_64, up to ip. */
const SAVED = [
  GPR.R8, GPR.R9, GPR.R10, GPR.R11, GPR.R12, GPR.R13, GPR.R14, GPR.R15, GPR.RDI, GPR.RSI, GPR.RBP, GPR.RBX, GPR.RDX, GPR.RAX, GPR.RCX, GPR.RSP,
] as const; // biome-ignore format: a table
const SAVED_IP = 128;

const UC_FP_XSTATE = 1;
const UC_SIGCONTEXT_SS = 2;
const UC_STRICT_RESTORE_SS = 4;
const RED_ZONE = 128;
export const USER_CS = 0x33;
export const USER_DS = 0x2b;

const TF = 0x100;
const DF = 0x400;
const RF = 0x1_0000;
/** Flags that sigreturn takes from the frame: OF DF TF SF ZF AF PF CF, RF and AC. */
const RESTORED_FLAGS = 0xdd5 | RF | 0x4_0000;

export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x8000_0000;

/** RFLAGS, which the execution engine holds lazily. */
export interface FlagAccess {
  getFlags(cpu: CpuState): number;
  setFlags(cpu: CpuState, flags: number): void;
}

/** What frames of this machine need: its flags, and how it lays out floating-point state. */
export interface FrameFormat {
  readonly flags: FlagAccess;
  readonly state: FrameState;
}

/** As the kernel counts it: the first byte of the area does not belong, the address behind it does (__on_sig_stack). */
function within(sp: number, { sp: base, size }: AltStack): boolean {
  return sp > base && sp - base <= size;
}

/** True when a thread at `sp` is on its alternate stack; never with SS_AUTODISARM, which forgets the stack while it is in use. */
export function onAltStack(sp: number, stack: AltStack): boolean {
  return (stack.flags & SS_AUTODISARM) === 0 && within(sp, stack);
}

/** Where the frame goes, or undefined when it would run off the alternate stack (get_sigframe). */
function framePlace(
  cpu: CpuState,
  stateBytes: number,
  { action, altStack }: HandlerCall,
): { frame: number; fpstate: number } | undefined {
  const nested = onAltStack(cpu.rsp, altStack);
  let sp = cpu.rsp - RED_ZONE;
  const enters = (action.flags & SA.ONSTACK) !== 0 && altStack.size > 0 && !onAltStack(sp, altStack);
  if (enters) sp = altStack.sp + altStack.size;
  sp -= stateBytes;
  const fpstate = sp - (sp % 64);
  sp = fpstate - FRAME_BYTES;
  const frame = sp - (sp % 16) - 8;
  if (frame < 0) return undefined;
  if ((nested || enters) && !within(frame, altStack)) return undefined;
  return { frame, fpstate };
}

/** Builds the frame and moves the thread to the handler; false when the frame cannot be written or there is no restorer. */
export function enterHandler(
  cpu: CpuState,
  memory: UserMemory,
  { flags, state }: FrameFormat,
  call: HandlerCall,
): boolean {
  const place = framePlace(cpu, state.bytes, call);
  if (place === undefined || !(call.action.flags & SA.RESTORER)) return false;
  const { frame, fpstate } = place;
  const eflags = flags.getFlags(cpu);
  const image = new Uint8Array(state.bytes);
  state.save(cpu, new DataView(image.buffer));
  const bytes = frameBytes(cpu, eflags, fpstate, call);
  if (state.extended) bytes[UC.FLAGS] = (bytes[UC.FLAGS] as number) | UC_FP_XSTATE;
  if (!memory.writeBytes(fpstate, image) || !memory.writeBytes(frame, bytes)) return false;

  cpu.setNum(gpr(GPR.RDI), call.info.signal);
  cpu.setNum(gpr(GPR.RSI), frame + INFO);
  cpu.setNum(gpr(GPR.RDX), frame + UC.FLAGS);
  cpu.setNum(gpr(GPR.RAX), 0);
  cpu.rsp = frame;
  cpu.rip = call.action.handler;
  setSegments(cpu, USER_CS, USER_DS);
  flags.setFlags(cpu, eflags & ~(DF | RF | TF));
  initFpu(cpu);
  return true;
}

function frameBytes(cpu: CpuState, eflags: number, fpstate: number, call: HandlerCall): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number | bigint): void =>
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  const { altStack, fault } = call;
  put(0, call.action.restorer);
  put(UC.FLAGS, UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS);
  put(UC.STACK_SP, altStack.sp);
  view.setUint32(UC.STACK_FLAGS, altStack.flags, true);
  put(UC.STACK_SIZE, altStack.size);
  SAVED.forEach((register, i) => {
    put(UC.CONTEXT + 8 * i, cpu.big(gpr(register)));
  });
  put(UC.CONTEXT + SAVED_IP, cpu.big(SLOT.RIP));
  put(UC.CONTEXT + CONTEXT.FLAGS, eflags);
  view.setUint16(UC.CONTEXT + CONTEXT.CS, cpu.int(SLOT.SEG), true);
  view.setUint16(UC.CONTEXT + CONTEXT.SS, cpu.int(SLOT.SEG + 4), true);
  put(UC.CONTEXT + CONTEXT.ERR, fault.errorCode);
  put(UC.CONTEXT + CONTEXT.TRAPNO, fault.trapNumber);
  put(UC.CONTEXT + CONTEXT.OLDMASK, call.mask);
  put(UC.CONTEXT + CONTEXT.CR2, fault.address);
  put(UC.CONTEXT + CONTEXT.FPSTATE, fpstate);
  put(UC.SIGMASK, call.mask);
  bytes.set(encodeSigInfo(call.info), INFO);
  return bytes;
}

/** rt_sigreturn(2): the restorer has popped nothing but the return address, so the frame begins 8 bytes below the stack pointer. */
export function returnFromHandler(
  cpu: CpuState,
  memory: UserMemory,
  { flags, state }: FrameFormat,
): ReturnedFrame | undefined {
  const bytes = memory.readBytes(cpu.rsp - 8, INFO);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!restoreFpu(cpu, memory, state, Number(view.getBigUint64(UC.CONTEXT + CONTEXT.FPSTATE, true)))) return undefined;

  SAVED.forEach((register, i) => {
    cpu.setBig(gpr(register), view.getBigUint64(UC.CONTEXT + 8 * i, true));
  });
  cpu.setBig(SLOT.RIP, view.getBigUint64(UC.CONTEXT + SAVED_IP, true));
  const saved = view.getUint32(UC.CONTEXT + CONTEXT.FLAGS, true);
  flags.setFlags(cpu, (flags.getFlags(cpu) & ~RESTORED_FLAGS) | (saved & RESTORED_FLAGS & ~RF));
  const ss = view.getUint16(UC.CONTEXT + CONTEXT.SS, true);
  setSegments(cpu, view.getUint16(UC.CONTEXT + CONTEXT.CS, true) | 3, ss | 3);
  return {
    mask: view.getBigUint64(UC.SIGMASK, true),
    altStack: {
      sp: Number(view.getBigUint64(UC.STACK_SP, true)),
      flags: view.getUint32(UC.STACK_FLAGS, true),
      size: Number(view.getBigUint64(UC.STACK_SIZE, true)),
    },
  };
}

/** A null pointer means the initial state, as the kernel has it. */
function restoreFpu(cpu: CpuState, memory: UserMemory, state: FrameState, at: number): boolean {
  if (at === 0) {
    initFpu(cpu);
    return true;
  }
  const image = memory.readBytes(at, state.bytes);
  return image !== undefined && state.restore(cpu, new DataView(image.buffer, image.byteOffset, image.length));
}

function setSegments(cpu: CpuState, cs: number, ss: number): void {
  cpu.setInt(SLOT.SEG, cs);
  cpu.setInt(SLOT.SEG + 4, ss);
}

function gpr(hardware: number): number {
  return SLOT.GPR + 8 * hardware;
}
