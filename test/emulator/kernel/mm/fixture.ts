/** A process with an address space and files in memory, whose system calls about memory are made one by one. */

import { FileTable } from '../../../../src/emulator/kernel/file/file-table.js';
import { O, OpenFile } from '../../../../src/emulator/kernel/file/open-file.js';
import type { FileStat } from '../../../../src/emulator/kernel/file/stat.js';
import { defaultLimits } from '../../../../src/emulator/kernel/limits.js';
import { mmSyscalls } from '../../../../src/emulator/kernel/mm/rows.js';
import { createRoot, credentialsOf } from '../../../../src/emulator/kernel/root.js';
import { SyscallTable } from '../../../../src/emulator/kernel/syscall-table.js';
import { Machine } from '../../../../src/emulator/machine.js';
import { AddressSpace } from '../../../../src/emulator/memory/address-space.js';
import type { BackingFile } from '../../../../src/emulator/memory/backing-file.js';
import { FRAMES_BASE } from '../../../../src/emulator/memory/layout.js';
import { MachineMemory } from '../../../../src/emulator/memory/machine-memory.js';
import { PageCache } from '../../../../src/emulator/memory/page-cache.js';
import { PhysicalMemory } from '../../../../src/emulator/memory/physical.js';
import { holesFor } from '../../../../src/emulator/memory/placement.js';
import type { Limit, Process } from '../../../../src/emulator/process.js';
import type { Thread } from '../../../../src/emulator/thread.js';
import { linuxX86Abi } from '../../../../src/emulator/x86/abi.js';
import { ByteFile } from '../../memory/fixture.js';

export const PAGE = 4096;
let nextFile = 1;
export const IMAGE = 0x5555_5555_4000;
export const MMAP_BASE = 0x7fff_f7ff_f000;

class TestFile extends OpenFile {
  constructor(
    machine: Machine,
    flags: number,
    readonly bytes: ByteFile,
  ) {
    super(machine, flags);
  }
  name(): string {
    return '/file';
  }
  stat(): FileStat | number {
    return -38;
  }
  override backing(): BackingFile {
    return this.bytes;
  }
}

export interface MmFixture {
  readonly machine: Machine;
  readonly process: Process;
  readonly space: AddressSpace;
  call(nr: number, ...args: number[]): number;
  addFile(fd: number, bytes: Uint8Array, flags?: number): ByteFile;
  readonly files: FileTable;
  /** As read(2) has them. */
  readFile(fd: number): Uint8Array;
  limit(resource: number, soft: number): void;
}

const execution = { run: () => ({ kind: 'fuel' }) as const, getFlags: () => 0, setFlags: () => undefined };
/** Machines come and go on one memory: what the spaces of a test leave behind, its end gives back. */
const physical = new PhysicalMemory(FRAMES_BASE + 0x1000_0000);
const pageCache = new PageCache(new MachineMemory(physical));

/** `uid`: 0 may lock what it likes. */
export function mmFixture(uid = 0): MmFixture {
  const machine = new Machine({
    config: {
      seed: 1, epoch: { seconds: 0, nanoseconds: 0 }, sliceLength: 100, limits: defaultLimits(), randomise: false, cpu: 'base', pidBase: 1000, maxProcesses: 64,
      maxMemory: 1 << 30, hostname: 'guest',
    }, // biome-ignore format: a table
    physical, frames: pageCache.memory.frames, execution, abi: linuxX86Abi(execution), loader: { load: () => ({ errno: 2 }) }, syscalls: new SyscallTable(mmSyscalls), pageCache,
  }); // biome-ignore format: a table
  const process = createRoot(machine, credentialsOf(uid, uid, [uid]));
  const layout = { mmapBase: MMAP_BASE, holes: holesFor(IMAGE, MMAP_BASE), stackLimit: 8 << 20 };
  const space = AddressSpace.create(pageCache.memory, pageCache, layout) as AddressSpace;
  process.space = space;
  const table = new FileTable();
  process.files = table;
  const files = new Map<number, ByteFile>();
  return {
    machine,
    process,
    space,
    files: table,
    call(nr, ...args) {
      const row = machine.syscalls.find(nr);
      if (row === undefined) throw new Error(`no row for ${nr}`);
      const result = row.run({ machine, process, thread: {} as Thread, memory: space, nr, args });
      if (typeof result !== 'number') throw new Error('a call about memory sleeps');
      return result;
    },
    addFile(fd, bytes, flags = O.RDWR) {
      const file = new ByteFile(bytes, `file ${nextFile++}`);
      files.set(fd, file);
      table.replace(fd, new TestFile(machine, flags, file), false);
      return file;
    },
    readFile(fd) {
      const file = files.get(fd) as ByteFile;
      const into = new Uint8Array(file.size());
      pageCache.read(file, into, 0);
      return into;
    },
    limit(resource, soft) {
      const next: Limit = { soft, hard: Number.POSITIVE_INFINITY };
      process.limits[resource] = next;
    },
  };
}
