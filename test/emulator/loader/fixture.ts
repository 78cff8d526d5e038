/** A machine that can load programs of the host, and nothing else. */
import { accessSync, closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { EACCES, ENOENT } from '../../../src/emulator/kernel/errno.js';
import { defaultLimits } from '../../../src/emulator/kernel/limits.js';
import { createRoot } from '../../../src/emulator/kernel/root.js';
import { SyscallTable } from '../../../src/emulator/kernel/syscall-table.js';
import { LinuxLoader } from '../../../src/emulator/loader/exec.js';
import { Machine, type MachineConfig } from '../../../src/emulator/machine.js';
import type { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import type { BackingFile } from '../../../src/emulator/memory/backing-file.js';
import { FRAMES_BASE } from '../../../src/emulator/memory/layout.js';
import { MachineMemory } from '../../../src/emulator/memory/machine-memory.js';
import { PageCache } from '../../../src/emulator/memory/page-cache.js';
import { PhysicalMemory } from '../../../src/emulator/memory/physical.js';
import type { Process } from '../../../src/emulator/process.js';
import type {
  ExecutableFile,
  ExecutableSource,
  LoadedProgram,
  LoadFailure,
} from '../../../src/emulator/program-loader.js';
import { linuxX86Abi } from '../../../src/emulator/x86/abi.js';

/** Files that are open, to find those that were forgotten. */
export const open = new Set<HostFile>();

class HostFile implements BackingFile {
  readonly key: string;
  readonly device: number;
  readonly inode: number;
  private readonly fd: number;
  private users = 1;

  constructor(readonly path: string) {
    this.fd = openSync(path, 'r');
    const { dev, ino } = fstatSync(this.fd);
    this.device = dev;
    this.inode = ino;
    this.key = `${dev}:${ino}`;
    open.add(this);
  }
  size(): number {
    return fstatSync(this.fd).size;
  }
  pread(into: Uint8Array, at: number): number {
    return readSync(this.fd, into, 0, into.length, at);
  }
  pwrite(): number {
    return -9;
  }
  retain(): void {
    this.users++;
  }
  release(): void {
    if (--this.users > 0) return;
    closeSync(this.fd);
    open.delete(this);
  }
}

const hostFiles: ExecutableSource = {
  open(_machine: Machine, process: Process, path: string): ExecutableFile | number {
    const full = resolve(process.fs.cwd, path);
    try {
      if (!statSync(full).isFile()) return -EACCES;
      accessSync(full, constants.X_OK);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? -ENOENT : -EACCES;
    }
    return {
      file: new HostFile(realpathSync(full)),
      path: realpathSync(full),
      owner: { setUser: undefined, setGroup: undefined },
    };
  },
};

export interface Loading {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environ?: readonly string[];
  readonly config?: Partial<MachineConfig>;
  readonly stackLimit?: number;
}

export interface Loaded extends LoadedProgram {
  readonly space: AddressSpace;
}

/** Loads a program as execve does. */
export function load(loading: Loading): Loaded | LoadFailure {
  const physical = new PhysicalMemory(FRAMES_BASE + 0x400_0000);
  const pageCache = new PageCache(new MachineMemory(physical));
  const execution = { run: () => ({ kind: 'fuel' }) as const, getFlags: () => 0, setFlags: () => undefined };
  const loader = new LinuxLoader(hostFiles);
  const machine = new Machine({
    config: {
      seed: 1, epoch: { seconds: 0, nanoseconds: 0 }, sliceLength: 100, limits: defaultLimits(), randomise: false, cpu: 'base', pidBase: 1000, maxProcesses: 64,
      maxMemory: 1 << 26, hostname: 'guest', ...loading.config,
    }, // biome-ignore format: a table
    physical, frames: pageCache.memory.frames, execution, abi: linuxX86Abi(execution), loader, syscalls: new SyscallTable(), pageCache,
  }); // biome-ignore format: a table
  const process = createRoot(machine);
  if (loading.stackLimit !== undefined)
    process.limits[3] = { soft: loading.stackLimit, hard: Number.POSITIVE_INFINITY };
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  return loader.load({
    machine,
    process,
    path: loading.path,
    directory: -100,
    flags: 0,
    argv: loading.argv.map(encode),
    environ: (loading.environ ?? []).map(encode),
  }) as Loaded | LoadFailure;
}

/** The same, for programs that can be loaded. */
export function loaded(loading: Loading): Loaded {
  const program = load(loading);
  if ('errno' in program) throw new Error(`errno ${program.errno}: ${program.message}`);
  return program;
}
