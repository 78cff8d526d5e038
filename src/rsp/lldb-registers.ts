/**
 * What lldb wants to know of a register beside what gdb does: its numbers in the DWARF of x86-64 (System V ABI, figure 3.36; .eh_frame uses the same), its
 * role, and how to show it. Without the roles lldb finds neither pc nor stack.
 */
import type { RegisterRow } from '../register-set.js';

const DWARF = new Map<string, number>([
  ...['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp'].map((name, i) => [name, i] as const),
  ...Array.from({ length: 8 }, (_, i) => [`r${8 + i}`, 8 + i] as const),
  ['rip', 16],
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}`, 17 + i] as const),
  ...Array.from({ length: 8 }, (_, i) => [`st${i}`, 33 + i] as const),
  ['eflags', 49],
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, i) => [name, 50 + i] as const),
  ['fs_base', 58],
  ['gs_base', 59],
  ['mxcsr', 64],
  ['fctrl', 65],
  ['fstat', 66],
]);

const ROLES: Readonly<Record<string, string>> = {
  rip: 'pc', rsp: 'sp', rbp: 'fp', eflags: 'flags', rdi: 'arg1', rsi: 'arg2', rdx: 'arg3', rcx: 'arg4', r8: 'arg5', r9: 'arg6',
}; // biome-ignore format: a table

/** lldb's names where they differ: expressions and its ABI code know the register by them. */
const OTHER_NAMES: Readonly<Record<string, string>> = { eflags: 'rflags' };

/** Attributes of a `<reg>` element, each with a space in front. */
export function lldbAttributes({ name, bits }: RegisterRow): string {
  const dwarf = DWARF.get(name);
  const role = ROLES[name];
  const other = OTHER_NAMES[name];
  const wide = bits > 64;
  return [
    ` encoding="${wide ? 'vector' : 'uint'}" format="${wide ? 'vector-uint8' : 'hex'}"`,
    dwarf === undefined ? '' : ` ehframe_regnum="${dwarf}" dwarf_regnum="${dwarf}"`,
    role === undefined ? '' : ` generic="${role}"`,
    other === undefined ? '' : ` altname="${other}"`,
  ].join('');
}
