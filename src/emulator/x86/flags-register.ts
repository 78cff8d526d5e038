/** RFLAGS as one number, between guest instructions: the lazy record, DF and the rest put together and taken apart. */
import { SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';
import type { SubroutineCall } from '../guest-arch.js';
import { ARITHMETIC_FLAGS, eflagsOf, FLAG, FLAGS_BASE } from './flags.js';

/** Reads as one (SDM vol. 1, 3.4.3). */
const ALWAYS_SET = 2;

export function getFlags(cpu: CpuState, call: SubroutineCall): number {
  const record = [cpu.big(SLOT.CC_A), cpu.big(SLOT.CC_B), cpu.big(SLOT.CC_R)];
  const arithmetic = Number(call(eflagsOf, cpu.base, cpu.int(SLOT.CC_KIND), ...record)) & ARITHMETIC_FLAGS;
  return arithmetic | cpu.int(SLOT.FLAGS_REST) | (cpu.int(SLOT.DF) === 0 ? 0 : FLAG.DF);
}

export function setFlags(cpu: CpuState, flags: number): void {
  cpu.setInt(SLOT.CC_KIND, FLAGS_BASE.EXPLICIT << 2);
  cpu.setNum(SLOT.CC_A, flags & ARITHMETIC_FLAGS);
  cpu.setInt(SLOT.DF, (flags & FLAG.DF) === 0 ? 0 : 1);
  cpu.setInt(SLOT.FLAGS_REST, (flags & ~(ARITHMETIC_FLAGS | FLAG.DF)) | ALWAYS_SET);
}
