/** The address space of a debugged process as regions, mappings and the gaps between them; and memory in it for the debugger. */
import { findPlace } from '../emulator/kernel/mm/mmap.js';
import { pageAlign, spaceOf } from '../emulator/kernel/mm/space.js';
import { nameOf } from '../emulator/kernel/procfs/memory-map.js';
import { PROT, type Vma } from '../emulator/memory/vma.js';
import type { Process } from '../emulator/process.js';
import { EINVAL, ENOSPC, type Rejected, rejected } from '../rsp/error-code.js';
import type { MemoryRegion } from '../rsp/target-abilities.js';
import { TASK_SIZE } from '../types.js';

const ALL = 1n << 64n;
const LETTERS = [
  [PROT.READ, 'r'],
  [PROT.WRITE, 'w'],
  [PROT.EXEC, 'x'],
] as const;

export function regionAround(process: Process, address: bigint): MemoryRegion {
  const vmas = spaceOf({ process }).vmas.all();
  const at = Number(address);
  const vma = address < BigInt(TASK_SIZE) ? vmas.find(({ start, end }) => at >= start && at < end) : undefined;
  if (vma !== undefined) return mapped(vma);
  const before = vmas.filter(({ end }) => BigInt(end) <= address).at(-1);
  const behind = vmas.find(({ start }) => BigInt(start) > address);
  return { start: BigInt(before?.end ?? 0), end: behind === undefined ? ALL : BigInt(behind.start) };
}

function mapped(vma: Vma): MemoryRegion {
  const permissions = LETTERS.map(([bit, letter]) => (vma.prot & bit ? letter : '')).join('');
  return { start: BigInt(vma.start), end: BigInt(vma.end), permissions, name: nameOf(vma) };
}

/** What a debugger has mapped into processes. Lives as long as the inferior. */
export class DebuggerMemory {
  /** Length by address, by pid. */
  private readonly blocks = new Map<number, Map<number, number>>();

  allocate(process: Process, size: number, permissions: string): { address: bigint } | Rejected {
    const space = spaceOf({ process });
    const length = pageAlign(size);
    const at = findPlace(space, 0, length);
    if (at === undefined) return rejected(ENOSPC, 'no room in the address space');
    const prot = LETTERS.reduce((bits, [bit, letter]) => bits | (permissions.includes(letter) ? bit : 0), 0);
    space.mappings.map({
      at,
      length,
      prot,
      maxProt: PROT.READ | PROT.WRITE | PROT.EXEC,
      flags: 0,
      pages: undefined,
      offset: 0,
    });
    const blocks = this.blocks.get(process.pid) ?? new Map<number, number>();
    this.blocks.set(process.pid, blocks.set(at, length));
    return { address: BigInt(at) };
  }

  release(process: Process, address: bigint): Rejected | undefined {
    const blocks = this.blocks.get(process.pid);
    const at = Number(address);
    const length = blocks?.get(at);
    if (length === undefined) return rejected(EINVAL, 'nothing was allocated there');
    blocks?.delete(at);
    spaceOf({ process }).mappings.unmap(at, at + length);
    return undefined;
  }

  /** The process has ended or has another image. */
  forget(pid: number): void {
    this.blocks.delete(pid);
  }
}
