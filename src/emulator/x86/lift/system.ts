/** Instructions that report on the processor, hints, and those that user mode may not execute: SDM vol. 1, 5.1.16 and 5.23. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR } from '../../../register-set.js';
import { ACCESS, EXIT, FAULT } from '../../stop.js';
import { XCR0 } from '../cpuid.js';
import { helperIndex } from '../helpers.js';
import { type InsnRow, type Lifter, type LiftFunction, row, UndefinedInstruction } from '../lifter.js';

function helper(name: string): LiftFunction {
  return (b) => b.exit(EXIT.HELPER, helperIndex(name));
}

/** No effect but, for some, that of a hint. */
function nothing(): void {}

function protection(b: Lifter): void {
  b.exit(EXIT.FAULT, FAULT.PROTECTION);
}

/** CLFLUSH, CLFLUSHOPT: nothing to flush, but the line must be readable. */
function flush(b: Lifter): void {
  b.probe(b.address(0), 1, ACCESS.READ);
}

/** SGDT, SIDT under UMIP: a limit of 0 and the base that Linux makes up (arch/x86/kernel/umip.c). */
function storeTable(base: bigint): LiftFunction {
  return (b) => {
    const at = b.address(0);
    b.probe(at, 10, ACCESS.WRITE);
    b.store(at, 2, b.i32(0));
    b.store(b.at(at, 2), 8, b.i64(base));
  };
}

/** SLDT, STR, SMSW under UMIP: a made-up value. Memory takes 2 bytes of it, a register as many as the operand has, and keeps the others. */
function storeWord(value: number): LiftFunction {
  return (b) => {
    if (b.isMemory(0)) return b.store(b.address(0), 2, b.i32(value & 0xffff));
    const size = b.size(0);
    b.writeSized(0, size, size === 8 ? b.i64(value) : b.i32(value));
  };
}

/** XGETBV of XCR0, the only register that user mode can read here. */
function xgetbv(b: Lifter): void {
  if (b.model === 'base') throw new UndefinedInstruction('XGETBV without OSXSAVE');
  b.faultIf(b.gpr(GPR.RCX, 4), FAULT.PROTECTION);
  b.setGpr(GPR.RAX, b.i32(XCR0), 4);
  b.setGpr(GPR.RDX, b.i32(0), 4);
}

/** XSETBV: privileged where it exists. */
function xsetbv(b: Lifter): void {
  if (b.model === 'base') throw new UndefinedInstruction('XSETBV without OSXSAVE');
  protection(b);
}

const HINTS = [
  Mnemonic.Nop,
  Mnemonic.Reservednop,
  Mnemonic.Endbr64,
  Mnemonic.Endbr32,
  Mnemonic.Pause,
  Mnemonic.Lfence,
  Mnemonic.Mfence,
  Mnemonic.Sfence,
  Mnemonic.Prefetch,
  Mnemonic.Prefetchw,
  Mnemonic.Prefetchwt1,
  Mnemonic.Prefetchnta,
  Mnemonic.Prefetcht0,
  Mnemonic.Prefetcht1,
  Mnemonic.Prefetcht2,
  Mnemonic.Prefetchit0,
  Mnemonic.Prefetchit1,
  // Without their feature these are no-operations by definition.
  Mnemonic.Cldemote,
  Mnemonic.Rdsspd,
  Mnemonic.Rdsspq,
];

const PRIVILEGED = [
  Mnemonic.Hlt,
  Mnemonic.Cli,
  Mnemonic.Sti,
  Mnemonic.In,
  Mnemonic.Out,
  Mnemonic.Insb,
  Mnemonic.Insw,
  Mnemonic.Insd,
  Mnemonic.Outsb,
  Mnemonic.Outsw,
  Mnemonic.Outsd,
  Mnemonic.Rdmsr,
  Mnemonic.Wrmsr,
  Mnemonic.Rdpmc,
  Mnemonic.Invd,
  Mnemonic.Wbinvd,
  Mnemonic.Wbnoinvd,
  Mnemonic.Invlpg,
  Mnemonic.Lgdt,
  Mnemonic.Lidt,
  Mnemonic.Lldt,
  Mnemonic.Ltr,
  Mnemonic.Lmsw,
  Mnemonic.Clts,
  Mnemonic.Swapgs,
  Mnemonic.Sysret,
  Mnemonic.Sysretq,
  Mnemonic.Sysexit,
  Mnemonic.Sysexitq,
];

export const system: readonly InsnRow[] = [
  ...HINTS.map((mnemonic) => row(mnemonic, nothing)),
  ...PRIVILEGED.map((mnemonic) => row(mnemonic, protection)),
  row(Mnemonic.Cpuid, helper('cpuid')),
  row(Mnemonic.Rdtsc, helper('rdtsc')),
  row(Mnemonic.Rdtscp, helper('rdtscp')),
  /** The number of the processor, as RDTSCP. */
  row(Mnemonic.Rdpid, (b) => b.write(0, b.i64(0))),
  row(Mnemonic.Xgetbv, xgetbv),
  row(Mnemonic.Xsetbv, xsetbv),
  row(Mnemonic.Clflush, flush),
  row(Mnemonic.Clflushopt, flush),
  row(Mnemonic.Sgdt, storeTable(0xffff_ffff_fffe_0000n)),
  row(Mnemonic.Sidt, storeTable(0xffff_ffff_ffff_0000n)),
  row(Mnemonic.Sldt, storeWord(0)),
  row(Mnemonic.Str, storeWord(0x40)),
  row(Mnemonic.Smsw, storeWord(0x8005_0033)),
];
