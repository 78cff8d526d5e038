/** Instructions that JavaScript executes: cold ones that report on the processor. */
import { GPR, SLOT } from '../../register-set.js';
import type { CpuState } from '../cpu-state.js';
import type { HelperEnvironment, HelperRow } from '../guest-arch.js';
import { cpuid } from './cpuid.js';

const [RAX, RCX, RDX, RBX] = [GPR.RAX, GPR.RCX, GPR.RDX, GPR.RBX].map((n) => SLOT.GPR + 8 * n) as [
  number,
  number,
  number,
  number,
];

/** CPUID: all four registers are zero-extended. */
function runCpuid(cpu: CpuState, { model }: HelperEnvironment): void {
  const [eax, ebx, ecx, edx] = cpuid(cpu.int(RAX) >>> 0, cpu.int(RCX) >>> 0, model);
  cpu.setNum(RAX, eax);
  cpu.setNum(RBX, ebx);
  cpu.setNum(RCX, ecx);
  cpu.setNum(RDX, edx);
}

function runRdtsc(cpu: CpuState, { tsc }: HelperEnvironment): void {
  cpu.setBig(RAX, tsc & 0xffff_ffffn);
  cpu.setBig(RDX, (tsc >> 32n) & 0xffff_ffffn);
}

/** TSC_AUX is the number of the processor and its node, as Linux sets it: 0 for the only one. */
function runRdtscp(cpu: CpuState, environment: HelperEnvironment): void {
  runRdtsc(cpu, environment);
  cpu.setNum(RCX, 0);
}

export const HELPERS: readonly HelperRow[] = [
  { name: 'cpuid', run: runCpuid },
  { name: 'rdtsc', run: runRdtsc },
  { name: 'rdtscp', run: runRdtscp },
];

/** EXIT_INFO of a helper. Throws when there is none of that name. */
export function helperIndex(name: string): number {
  const index = HELPERS.findIndex((helper) => helper.name === name);
  if (index < 0) throw new Error(`no helper is named ${name}`);
  return index;
}
