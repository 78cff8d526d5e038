/** Puts a machine together from its parts. The one place inside the emulator that knows them all. */
import type { CpuState } from './cpu-state.js';
import type { Tier } from './execution/tiering.js';
import { Execution } from './execution.js';
import type { CodeHook } from './executor.js';
import type { HelperEnvironment } from './guest-arch.js';
import type { Host } from './host/host.js';
import { Executables } from './kernel/file/executables.js';
import { defaultLimits } from './kernel/limits.js';
import { createRoot, credentialsOf } from './kernel/root.js';
import { SYSCALLS } from './kernel/rows.js';
import { SyscallTable } from './kernel/syscall-table.js';
import { LinuxLoader } from './loader/exec.js';
import { Machine, type MachineConfig } from './machine.js';
import { FRAMES_BASE } from './memory/layout.js';
import { MachineMemory } from './memory/machine-memory.js';
import { PageCache } from './memory/page-cache.js';
import { PhysicalMemory } from './memory/physical.js';
import { linuxX86Abi } from './x86/abi.js';
import { x86 } from './x86/arch.js';

const WASM_PAGE = 0x1_0000;

export interface MachineRequest extends Omit<MachineConfig, 'limits' | 'hostname' | 'epoch'> {
  readonly host: Host;
  readonly tier: Tier;
  /** CLOCK_REALTIME at the start; undefined: the host's. */
  readonly epoch?: MachineConfig['epoch'] | undefined;
}

export interface AssembledMachine {
  readonly machine: Machine;
  readonly memory: MachineMemory;
  readonly execution: Execution;
}

/** A machine with its root process and its file systems, and no program. Throws when the host has not enough memory. */
export function createMachine({ host, tier, epoch = host.inputs.epoch, ...config }: MachineRequest): AssembledMachine {
  const size = Math.min(2 ** 32, FRAMES_BASE + Math.ceil(config.maxMemory / WASM_PAGE) * WASM_PAGE);
  const physical = new PhysicalMemory(size);
  const memory = new MachineMemory(physical);
  // The clock that RDTSC reads is the machine's, which is not there yet; nothing runs before it is.
  const environment = (cpu: CpuState): HelperEnvironment => ({
    tsc: BigInt(machine.timestamp(cpu)),
    model: config.cpu,
  });
  const askHook = (cpu: CpuState, hook: CodeHook): number => machine.askHook(cpu, hook);
  const { cache } = host;
  const execution = new Execution({ physical, arch: x86, model: config.cpu, environment, askHook, tier, cache });
  memory.listener = execution;
  const machine = new Machine({
    config: { ...config, epoch, limits: defaultLimits(), hostname: host.inputs.hostname },
    physical,
    frames: memory.frames,
    execution,
    abi: linuxX86Abi(execution, config.cpu === 'v3'),
    loader: new LinuxLoader(new Executables()),
    syscalls: new SyscallTable(SYSCALLS),
    host,
    pageCache: new PageCache(memory),
  });
  const { uid, gid, groups } = host.inputs;
  createRoot(machine, credentialsOf(uid, gid, groups));
  return { machine, memory, execution };
}
