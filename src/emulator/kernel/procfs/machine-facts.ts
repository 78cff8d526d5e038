/** Files at the top of /proc: what they tell are the guest's facts, never the host's. */
import { NS_PER_SECOND } from '../../../types.js';
import type { Machine } from '../../machine.js';
import { KERNEL_RELEASE, KERNEL_VERSION } from '../system.js';
import { kilobytes, ticks } from './text.js';

export function cpuinfo({ abi }: Machine): string {
  return abi.facts.cpuInfo;
}

export function meminfo(machine: Machine): string {
  const total = machine.config.maxMemory;
  const free = Math.min(total, machine.freeMemory());
  const rows: readonly (readonly [string, number])[] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', 0],
    ['SwapCached', 0],
    ['Active', total - free],
    ['Inactive', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', total - free],
    ['Mapped', 0],
    ['Shmem', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 0],
    ['PageTables', 0],
    ['CommitLimit', total],
    ['Committed_AS', total - free],
    ['VmallocTotal', 0],
    ['VmallocUsed', 0],
    ['HugePages_Total', -1],
    ['Hugepagesize', 2 << 20],
  ];
  const shown = rows.map(([name, bytes]) => {
    const label = `${name}:`.padEnd(16);
    return bytes < 0 ? `${label}${'0'.padStart(8)}\n` : `${label}${kilobytes(bytes)}\n`;
  });
  return shown.join('');
}

/** One processor: it ran guest code, or it was idle. */
export function kernelStat(machine: Machine): string {
  const { clock } = machine;
  const counts = [ticks(clock.retired), 0, 0, ticks(clock.jumps), 0, 0, 0, 0, 0, 0].join(' ');
  const threads = [...machine.threads.values()];
  const running = threads.filter(({ state }) => state === 'runnable').length;
  const rows = [
    `cpu  ${counts}`,
    `cpu0 ${counts}`,
    'intr 0',
    `ctxt ${threads.reduce((sum, { sleep }) => sum + sleep, 0)}`,
    `btime ${clock.epoch.seconds}`,
    `processes ${machine.startedPids}`,
    `procs_running ${running}`,
    'procs_blocked 0',
    'softirq 0 0 0 0 0 0 0 0 0 0 0',
  ];
  return `${rows.join('\n')}\n`;
}

/** Nothing is swapped, and what is read and written is the host's. */
export function vmstat(machine: Machine): string {
  const processes = [...machine.processes.values()];
  const rows: readonly (readonly [string, number])[] = [
    ['nr_free_pages', Math.floor(machine.freeMemory() / 4096)],
    ['pgpgin', 0],
    ['pgpgout', 0],
    ['pswpin', 0],
    ['pswpout', 0],
    ['pgfault', processes.reduce((sum, { minorFaults }) => sum + minorFaults, 0)],
    ['pgmajfault', 0],
  ];
  return rows.map(([name, count]) => `${name} ${count}\n`).join('');
}

/** Seconds since the start, and of these the idle ones. */
export function uptime({ clock }: Machine): string {
  const seconds = (ns: number): string => (Math.floor(ns / (NS_PER_SECOND / 100)) / 100).toFixed(2);
  return `${seconds(clock.monotonic)} ${seconds(clock.jumps)}\n`;
}

/** No averages are kept: guest threads take turns and none waits for another's processor. */
export function loadavg(machine: Machine): string {
  const threads = [...machine.threads.values()];
  const running = threads.filter(({ state }) => state === 'runnable').length;
  const newest = Math.max(0, ...threads.map(({ tid }) => tid as number));
  return `0.00 0.00 0.00 ${running}/${threads.length} ${newest}\n`;
}

export function version(): string {
  return `Linux version ${KERNEL_RELEASE} (sidestep) ${KERNEL_VERSION}\n`;
}

export function filesystems({ mounts }: Machine): string {
  const types = new Set(mounts.list().map(({ fs }) => fs.type));
  return [...types].map((type) => `${type === 'ext4' ? '' : 'nodev'}\t${type}\n`).join('');
}
