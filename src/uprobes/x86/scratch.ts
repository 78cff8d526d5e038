/**
 * A copy in a slot far from its original cannot reach an operand that is addressed relative to ip. Then the copy addresses it relative to a register
 * that the instruction does not use, which holds what ip would have been (arch/x86/kernel/uprobes.c, riprel_analyze).
 */
import {
  Decoder,
  DecoderOptions,
  EncodingKind,
  type Instruction,
  InstructionInfoFactory,
  Register,
  RegisterExt,
} from '../../iced-x86.js';
import { GPR } from '../../register-set.js';

export interface ScratchForm {
  /** Hardware number of the register. */
  readonly register: number;
  readonly bytes: Uint8Array;
}

/** In the order of preference. Their numbers fit ModRM.rm without REX.B. */
const CANDIDATES = [
  { register: GPR.RSI, name: Register.RSI },
  { register: GPR.RDI, name: Register.RDI },
  { register: GPR.RBX, name: Register.RBX },
] as const;

/** `displacement`: offset of the disp32, right behind ModRM (mod 00, rm 101: no SIB). */
export function scratchForm(insn: Instruction, bytes: Uint8Array, displacement: number): ScratchForm | undefined {
  const used = usedRegisters(insn);
  const free = CANDIDATES.find(({ name }) => !used.has(name));
  if (free === undefined) return undefined;
  const copy = bytes.slice();
  clearBaseExtension(insn, copy);
  const modrm = copy[displacement - 1] as number;
  copy[displacement - 1] = 0x80 | (modrm & 0x38) | free.register;
  return says(copy, insn, free.name) ? { register: free.register, bytes: copy } : undefined;
}

function usedRegisters(insn: Instruction): ReadonlySet<Register> {
  const factory = new InstructionInfoFactory();
  const info = factory.info(insn);
  const used = new Set<Register>();
  for (const register of info.usedRegisters()) {
    used.add(RegisterExt.fullRegister(register.register));
    register.free();
  }
  info.free();
  factory.free();
  return used;
}

/** REX.B, and its inverted kin in VEX3, XOP and EVEX, extend ModRM.rm; with ip as the base they were ignored. */
function clearBaseExtension(insn: Instruction, copy: Uint8Array): void {
  let at = 0;
  while (LEGACY_PREFIXES.has(copy[at] as number)) at++;
  const byte = copy[at] as number;
  switch (insn.encoding) {
    case EncodingKind.Legacy:
      if ((byte & 0xf0) === 0x40) copy[at] = byte & ~1;
      return;
    case EncodingKind.VEX:
      if (byte === 0xc4) copy[at + 1] = (copy[at + 1] as number) | INVERTED_B;
      return;
    default:
      copy[at + 1] = (copy[at + 1] as number) | INVERTED_B;
  }
}

const INVERTED_B = 0x20;
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);

/** The patch is decoded again, so that no encoding that we do not know of slips through. */
function says(copy: Uint8Array, original: Instruction, base: Register): boolean {
  const decoder = new Decoder(64, copy, DecoderOptions.AMD);
  const insn = decoder.decode();
  const right =
    insn.code === original.code &&
    insn.length === copy.length &&
    insn.memoryBase === base &&
    insn.memoryIndex === Register.None;
  insn.free();
  decoder.free();
  return right;
}
