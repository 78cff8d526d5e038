/** x86-64 as the probe engine sees it. */
import { GPR } from '../../register-set.js';
import { TASK_SIZE } from '../../types.js';
import type { Arch } from '../arch.js';
import type { HostSpace, HostThread } from '../port.js';
import { analyze, MAX_INSN_LENGTH, type X86Insn } from './analyze.js';
import {
  abortStep,
  canBoost,
  canDisplaceTo,
  enterSlot,
  hasReturnJump,
  illegal,
  leaveSlot,
  SLOT_SIZE,
  slotCode,
  translateFault,
} from './displace.js';
import { emulate } from './emulate.js';
import { readWord, storeWord } from './word.js';

const INT3 = 0xcc;
/** Legacy prefixes (SDM vol. 2A, 2.1.1) and REX. */
const PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3, ...Array.from({ length: 16 }, (_, low) => 0x40 + low),
]); // biome-ignore format: a list

export const X86_64: Arch<X86Insn> = {
  breakpoint: INT3,
  isBreakpoint: (bytes) => bytes.find((byte) => !PREFIXES.has(byte)) === INT3,
  maxInsnLength: MAX_INSN_LENGTH,
  slotSize: SLOT_SIZE,
  analyze,
  emulate(insn, address, thread, space) {
    if (insn.emulation === undefined) return 'impossible';
    return emulate(insn.emulation, address + insn.length, thread, space);
  },
  canDisplace: canDisplaceTo,
  canBoost,
  hasReturnJump,
  slotCode,
  enterSlot,
  leaveSlot,
  abortStep,
  translateFault,
  illegal,
  repeatState: (thread) => `${thread.readGpr(GPR.RCX)} ${thread.readGpr(GPR.RSI)} ${thread.readGpr(GPR.RDI)}`,
  readReturnAddress,
  writeReturnAddress,
};

/** A return address that no user mapping can contain counts as unreadable. */
function readReturnAddress(thread: HostThread, space: HostSpace): number | undefined {
  const value = readWord(space, thread.sp);
  return value !== undefined && value < TASK_SIZE ? Number(value) : undefined;
}

function writeReturnAddress(thread: HostThread, space: HostSpace, address: number): boolean {
  return storeWord(space, thread.sp, BigInt(address));
}
