/**
 * Looks at one x86-64 instruction and says how a probe on it can execute it. The facts come from iced-x86; what follows from them is the table of
 * docs/uprobes.md, derived from arch/x86/kernel/uprobes.c and can_boost of arch/x86/kernel/kprobes.
 */
import {
  type ConstantOffsets,
  CpuidFeature,
  Decoder,
  DecoderError,
  DecoderOptions,
  FlowControl,
  Formatter,
  FormatterSyntax,
  type Instruction,
  Mnemonic,
  OpKind,
  Register,
} from '../../iced-x86.js';
import { TASK_SIZE } from '../../types.js';
import type { AnalysisOptions, AnalyzedInsn, Method } from '../arch.js';
import { type ProbeError, probeError } from '../probe-error.js';
import { type Emulation, emulationOf } from './emulate.js';
import { type ScratchForm, scratchForm } from './scratch.js';

/** Longest instruction (SDM vol. 2A, 2.3.11). */
export const MAX_INSN_LENGTH = 15;

/** An operand that is addressed relative to ip. */
export interface IpRelative {
  /** Offset of the disp32 in the instruction. */
  readonly offset: number;
  /** The address that it means. */
  readonly target: number;
  /** The same instruction with a base register instead; undefined: no register is free for it. */
  readonly scratch: ScratchForm | undefined;
}

export interface X86Insn extends AnalyzedInsn {
  readonly bytes: Uint8Array;
  readonly emulation: Emulation | undefined;
  readonly ipRelative: IpRelative | undefined;
  /** Where ip is after a copy: moved by as much as the copy, or where it should be (ret, indirect jumps and calls). */
  readonly ipAfter: 'relative' | 'absolute';
  /** Pushes the address behind it. */
  readonly calls: boolean;
  /** May leave its address in FIP. */
  readonly x87: boolean;
}

export function analyze(bytes: Uint8Array, address: number, options: AnalysisOptions): X86Insn | ProbeError {
  const decoder = new Decoder(64, bytes, DecoderOptions.AMD);
  decoder.ip = BigInt(address);
  const insn = decoder.decode();
  const offsets = decoder.getConstantOffsets(insn);
  try {
    if (insn.isInvalid) return undecodable(bytes, decoder.lastError);
    const refusal = refused(insn, options);
    if (refusal !== undefined) return probeError('ENOTSUPP', `${refusal}: ${disassemble(insn)}`);
    return classify(insn, offsets, bytes.slice(0, insn.length), address);
  } finally {
    offsets.free();
    insn.free();
    decoder.free();
  }
}

/** One-byte opcodes that 64-bit mode does not have. */
const NOT_IN_64_BIT = new Set([
  0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6,
  0xea,
]);
const LEGACY_PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

function undecodable(bytes: Uint8Array, error: DecoderError): ProbeError {
  const opcode = bytes.find((byte) => !LEGACY_PREFIXES.has(byte) && (byte & 0xf0) !== 0x40);
  if (opcode !== undefined && NOT_IN_64_BIT.has(opcode))
    return probeError('ENOTSUPP', `opcode 0x${opcode.toString(16)} does not exist in 64-bit mode`);
  if (error === DecoderError.NoMoreBytes) return probeError('ENOEXEC', 'the instruction is cut off');
  return probeError('ENOEXEC', `no instruction: ${Buffer.from(bytes).toString('hex')}`);
}

const REFUSED: ReadonlyMap<Mnemonic, string> = new Map(
  (
    [
      ['input and output', 'In Out Insb Insw Insd Outsb Outsw Outsd'],
      ['interrupt flag', 'Cli Sti'],
      ['stops the processor', 'Hlt'],
      ['returns from an interrupt', 'Iret Iretd Iretq'],
      ['software interrupt', 'Int Int1 Int3 Into'],
    ] as const
  ).flatMap(([why, names]) => names.split(' ').map((name) => [Mnemonic[name as keyof typeof Mnemonic] as number, why])),
);

const IGNORED_SEGMENTS = new Set([Register.ES, Register.CS, Register.SS, Register.DS]);

/** Why the instruction is of a class that cannot be probed. */
function refused(insn: Instruction, { strict }: AnalysisOptions): string | undefined {
  const why = REFUSED.get(insn.mnemonic);
  if (why !== undefined) return why;
  if (insn.opCount > 0 && insn.op0Kind === OpKind.NearBranch16) return 'Intel and AMD differ about its length';
  if (insn.isCallFar || insn.isJmpFar) return 'far transfer';
  if (insn.mnemonic === Mnemonic.Mov && insn.op0Kind === OpKind.Register && insn.op0Register === Register.SS)
    return 'holds off exceptions';
  if (strict && insn.hasLockPrefix) return 'LOCK prefix';
  if (strict && insn.hasSegmentPrefix && IGNORED_SEGMENTS.has(insn.segmentPrefix)) return 'segment prefix';
  return undefined;
}

function classify(insn: Instruction, offsets: ConstantOffsets, bytes: Uint8Array, address: number): X86Insn {
  const emulation = emulationOf(insn);
  const ipRelative = insn.isIpRelMemoryOperand ? ipRelativeOperand(insn, offsets, bytes) : undefined;
  const facts = {
    bytes,
    emulation,
    ipRelative,
    length: bytes.length,
    text: disassemble(insn),
    repeats: insn.isStringInstruction && (insn.hasRepPrefix || insn.hasRepnePrefix),
    ipAfter: ABSOLUTE_FLOW.has(insn.flowControl) ? 'absolute' : 'relative',
    calls: insn.flowControl === FlowControl.Call || insn.flowControl === FlowControl.IndirectCall,
    x87: isX87(insn),
  } as const;
  const methods = new Set<Method>(['inline']);
  // A REP instruction's iterations are the engine's to follow.
  if (!facts.repeats) methods.add('hook');
  if (emulation !== undefined) methods.add('emulate');
  if (canDisplace(insn, address)) {
    methods.add('xol');
    if (canBoost(insn, facts)) methods.add('boost');
  }
  return { ...facts, methods };
}

const ABSOLUTE_FLOW: ReadonlySet<FlowControl> = new Set([
  FlowControl.Return,
  FlowControl.IndirectBranch,
  FlowControl.IndirectCall,
]);

function ipRelativeOperand(insn: Instruction, offsets: ConstantOffsets, bytes: Uint8Array): IpRelative {
  const offset = offsets.displacementOffset;
  return { offset, target: Number(insn.ipRelMemoryAddress), scratch: scratchForm(insn, bytes, offset) };
}

/** Would a copy elsewhere do the same, but for what the fixups mend? */
function canDisplace(insn: Instruction, address: number): boolean {
  if (insn.mnemonic === Mnemonic.Sysenter || insn.mnemonic === Mnemonic.Xbegin) return false;
  // With an address-size prefix the address wraps at 4 GiB; and one beyond user space cannot be meant by a copy.
  if (insn.isIpRelMemoryOperand) return insn.memoryBase === Register.RIP && Number(insn.ipRelMemoryAddress) < TASK_SIZE;
  if (insn.opCount === 0 || insn.op0Kind !== OpKind.NearBranch64) return true;
  // A copy's relative branch lands as far from the slot as the original's from its address: that must be an address.
  const distance = Number(insn.nearBranchTarget) - address;
  return Math.abs(distance) < MAX_BRANCH_OF_COPY;
}

/** Slots lie farther than this from both ends of user space. */
const MAX_BRANCH_OF_COPY = 0x1_0000;

/** Instructions that show ip, time, or TF, beside those that the facts tell. */
const NEVER_BOOSTED: ReadonlySet<Mnemonic> = new Set([
  Mnemonic.Rdtsc,
  Mnemonic.Rdtscp,
  Mnemonic.Popf,
  Mnemonic.Popfq,
  Mnemonic.Pushf,
  Mnemonic.Pushfq,
  Mnemonic.Syscall,
  Mnemonic.Retf,
]);

/** SDM-free rule: nothing that depends on ip is stored, and control leaves the copy at its end or for an absolute address. */
function canBoost(insn: Instruction, { x87, calls }: { x87: boolean; calls: boolean }): boolean {
  if (x87 || calls || insn.isPrivileged || NEVER_BOOSTED.has(insn.mnemonic)) return false;
  const { flowControl } = insn;
  return (
    flowControl === FlowControl.Next || flowControl === FlowControl.Return || flowControl === FlowControl.IndirectBranch
  );
}

const X87_FEATURES: ReadonlySet<number> = new Set([
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU287XL_ONLY,
  CpuidFeature.FPU387,
  CpuidFeature.FPU387SL_ONLY,
]);

function isX87(insn: Instruction): boolean {
  return insn.cpuidFeatures().some((feature) => X87_FEATURES.has(feature));
}

function disassemble(insn: Instruction): string {
  const formatter = new Formatter(FormatterSyntax.Gas);
  const text = formatter.format(insn);
  formatter.free();
  return text;
}
