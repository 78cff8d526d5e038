/** Bytes → basic block: decodes, finds the row of each instruction and runs its lift function. */
import { CpuidFeature, EncodingKind, FlowControl, Instruction, Mnemonic } from '../../iced-x86.js';
import type { CodeHook } from '../executor.js';
import type { Lifted, LiftOptions, Model } from '../guest-arch.js';
import type { PlacedHook } from '../ir/ir.js';
import { EXIT, FAULT } from '../stop.js';
import { BlockDecoder, decode, disassemble, MAX_INSN_LENGTH } from './decoder.js';
import { type InsnRow, Lifter, type LiftFunction, UndefinedInstruction } from './lifter.js';
import { BIT_MANIPULATION, INSTRUCTIONS, STRING_INSTRUCTIONS } from './rows.js';

const INT3 = 0xcc;

type LiftTable = readonly (LiftFunction | undefined)[];

function tableOf(rows: readonly InsnRow[]): LiftTable {
  const table: (LiftFunction | undefined)[] = [];
  for (const { mnemonic, lift } of rows) {
    if (table[mnemonic] !== undefined) throw new Error(`two rows for ${Mnemonic[mnemonic]}`);
    table[mnemonic] = lift;
  }
  return table;
}

const byMnemonic = tableOf(INSTRUCTIONS);
const stringByMnemonic = tableOf(STRING_INSTRUCTIONS);

/** What an instruction does, if the emulator knows it and the model has it. */
function liftFunction(insn: Instruction, model: Model): LiftFunction | undefined {
  if (!hasEncoding(insn, model)) return undefined;
  return (insn.isStringInstruction ? stringByMnemonic[insn.mnemonic] : undefined) ?? byMnemonic[insn.mnemonic];
}

function hasEncoding({ encoding, mnemonic }: Instruction, model: Model): boolean {
  if (encoding === EncodingKind.Legacy) return true;
  return encoding === EncodingKind.VEX && (model === 'v3' || BIT_MANIPULATION.has(mnemonic));
}

const lifter = new Lifter();
/** Each instruction in turn: lifting keeps none. */
let decoded: Instruction | undefined;

export function liftBlock(bytes: Uint8Array, ip: number, options: LiftOptions): Lifted {
  let at = 0;
  lifter.beginBlock();
  lifter.model = options.model ?? 'base';
  decoded ??= new Instruction();
  const hooks: PlacedHook[] = [];
  const fetched = bytes.subarray(0, options.limit * MAX_INSN_LENGTH);
  let decoder: BlockDecoder | undefined;
  for (let count = 0; count < options.limit; count++) {
    const hook = fetched[at] === INT3 ? options.hookAt?.(ip + at) : undefined;
    if (fetched[at] === INT3) hooks.push({ ip: ip + at, hook });
    let length: number;
    if (hook !== undefined) {
      decoder?.free();
      decoder = undefined;
      length = liftHooked(hook, ip + at, fetched.length - at);
    } else {
      decoder ??= new BlockDecoder(fetched.subarray(at), ip + at, decoded);
      const insn = decoder.next();
      length = insn === 'truncated' ? 0 : insn.length;
      if (insn !== 'truncated') liftInsn(insn, ip + at, bytes.subarray(at, at + length));
    }
    if (length === 0) break;
    at += length;
    if (lifter.blockEnded || at >= bytes.length) break;
  }
  decoder?.free();
  if (at === 0) return { kind: 'truncated' };
  return { kind: 'block', block: lifter.endBlock(bytes.slice(0, at), hooks) };
}

/** The instruction behind a hook; its length, 0 when it does not end within the `room` fetched bytes. */
function liftHooked(hook: CodeHook, ip: number, room: number): number {
  if (hook.bytes.length > room) return 0;
  const decoder = new BlockDecoder(hook.bytes, ip, decoded);
  const insn = decoder.next();
  decoder.free();
  if (insn === 'truncated') throw new Error(`the hook at ${ip.toString(16)} has no whole instruction`);
  liftInsn(insn, ip, hook.bytes, hook);
  return insn.length;
}

function liftInsn(insn: Instruction, ip: number, bytes: Uint8Array, hook?: CodeHook): void {
  lifter.start(insn, ip, bytes);
  const lift = insn.isInvalid ? undefined : liftFunction(insn, lifter.model);
  if (lift === undefined) lifter.exit(EXIT.FAULT, FAULT.INVALID_OPCODE);
  else {
    try {
      lift(lifter);
    } catch (error) {
      if (!(error instanceof UndefinedInstruction)) throw error;
      lifter.restartInsn();
      lifter.exit(EXIT.FAULT, FAULT.INVALID_OPCODE);
    }
  }
  // An invalid instruction may claim a length of 0.
  lifter.endInsn(ip, Math.max(1, insn.length), hook);
}

/** Extensions that programs probe for and that many real machines lack or have switched off: #UD is the truth there, nothing to warn of. */
const OPTIONAL: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.RTM,
  CpuidFeature.HLE,
  CpuidFeature.HLE_or_RTM,
  CpuidFeature.PKU,
  CpuidFeature.SMX,
]);

function isOptional(feature: CpuidFeature): boolean {
  return OPTIONAL.has(feature);
}

/** For the warning about an unknown instruction: its text, and whether real processors have it. */
export function explainUndefined(bytes: Uint8Array, ip: number): { text: string; unsupported: boolean } {
  const insn = decode(bytes, ip);
  if (insn === 'truncated') return { text: '(truncated)', unsupported: false };
  const absent =
    insn.isInvalid || insn.flowControl === FlowControl.Exception || [...insn.cpuidFeatures()].some(isOptional);
  const unsupported = !absent && liftFunction(insn, lifter.model) === undefined;
  const text = disassemble(insn);
  insn.free();
  return { text, unsupported };
}
