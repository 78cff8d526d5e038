/** The emulated machine of a server or a run: what the command line asks for, on the host that Node runs on. */

import { readdirSync } from 'node:fs';
import { type AssembledMachine, createMachine } from '../emulator/create-machine.js';
import { NodeHost } from '../emulator/host/node-host.js';
import { pathBytes, pathText } from '../emulator/host/path-text.js';
import { inheritedFiles } from '../emulator/kernel/file/inherited.js';
import { locateText } from '../emulator/kernel/file/path-walk.js';
import { type FileStat, S, typeOf } from '../emulator/kernel/file/stat.js';
import { spawn } from '../emulator/kernel/spawn.js';
import type { Process } from '../emulator/process.js';
import type { LoadFailure } from '../emulator/program-loader.js';
import type { ProgramStarter, StartRequest } from '../inferior/launcher.js';
import type { MachineOptions } from '../options.js';
import { NS_PER_SECOND } from '../types.js';

/** Set by start.ts for the joined program. */
declare const SIDESTEP_BUILD: string | undefined;
const BUILD = typeof SIDESTEP_BUILD === 'undefined' ? undefined : SIDESTEP_BUILD;
/** Guest pids begin here: far above what a host has given out before it has started millions of processes. */
const FIRST_PID = 3_000_000;
/** personality(2). */
const ADDR_NO_RANDOMIZE = 0x4_0000;
const AT_FDCWD = -100;

/** No process of the host has a pid from here on (where there is a /proc that tells). */
function firstPid(): number {
  let pids: number[] = [];
  try {
    pids = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid >= FIRST_PID);
  } catch {
    // Not a Linux: whatever its pids are, the guest's are no pids of it.
  }
  return pids.reduce((first, pid) => Math.max(first, pid + 1), FIRST_PID);
}

function epochOf(seconds: number | undefined): { seconds: number; nanoseconds: number } | undefined {
  if (seconds === undefined) return undefined;
  const whole = Math.floor(seconds);
  return { seconds: whole, nanoseconds: Math.round((seconds - whole) * NS_PER_SECOND) };
}

/** What `run`, a server and probing need of an assembled emulator beside its parts. */
export interface GuestMachine extends AssembledMachine {
  readonly starter: ProgramStarter;
  /** `NAME=VALUE` for programs, as the server got it. */
  readonly environment: ReadonlyMap<string, string>;
  /** Counts for `--stats` and `monitor stats`, one line each. */
  statistics(): readonly string[];
}

/** `descriptors`: of the server, which the program inherits. Throws an Error for a person when the host cannot do it: no memory, no such root. */
export function createGuestMachine(
  options: MachineOptions,
  descriptors: readonly [number, number, number] = [0, 1, 2],
): GuestMachine {
  const host = new NodeHost({ root: options.root, noNetwork: !options.network, descriptors, build: BUILD });
  const assembled = createMachine({
    host,
    tier: options.tier,
    epoch: epochOf(options.epoch),
    seed: options.seed,
    sliceLength: options.sliceLength,
    // Each program says by its personality whether it wants random addresses.
    randomise: true,
    cpu: options.cpu,
    pidBase: firstPid(),
    maxProcesses: options.maxProcesses,
    maxMemory: options.maxMemory,
  });
  const { machine } = assembled;
  const directoryOf = (directory: string | undefined): string => directory ?? host.inputs.cwd;

  function start(request: StartRequest): Process | LoadFailure {
    const { root } = machine;
    if (root === undefined) throw new Error('a machine without a root process');
    return spawn(machine, {
      path: request.path,
      argv: request.argv.map(pathBytes),
      environ: request.environment.map(pathBytes),
      fs: { cwd: directoryOf(request.directory), root: '/', umask: host.inputs.umask },
      files: inheritedFiles(machine),
      credentials: root.credentials,
      ownGroup: true,
      personality: request.randomise ? 0 : ADDR_NO_RANDOMIZE,
    });
  }

  function absolute(directory: string | undefined): string {
    const base = directoryOf(directory);
    return base.startsWith('/') ? base : `${host.inputs.cwd}/${base}`;
  }

  function statOf(path: string): FileStat | undefined {
    const { root } = machine;
    if (root === undefined) throw new Error('a machine without a root process');
    const found = locateText({ machine, process: root }, AT_FDCWD, path, 0, { follow: true });
    return typeof found === 'number' ? undefined : found.stat;
  }

  function fileIn(directory: string | undefined, name: string): string | undefined {
    const path = `${absolute(directory)}/${name}`;
    const stat = statOf(path);
    return stat !== undefined && typeOf(stat) === S.IFREG ? path : undefined;
  }

  function nameOf(directory: string | undefined, claimed: string | undefined): string {
    const path = absolute(directory);
    const [here, there] = [statOf(path), claimed?.startsWith('/') ? statOf(claimed) : undefined];
    const same = here !== undefined && here.inode === there?.inode && here.device === there.device;
    return same && claimed !== undefined ? claimed : path;
  }

  return {
    ...assembled,
    starter: { start, fileIn, nameOf },
    environment: new Map(host.inputs.environ.map((entry) => splitVariable(pathText(entry)))),
    statistics: () => statistics(assembled),
  };
}

function statistics({ machine, execution }: AssembledMachine): string[] {
  const { retired } = machine.clock;
  const { compiled, blocks, regions, modules } = execution.statistics;
  const percent = retired === 0 ? 0 : (100 * compiled) / retired;
  return [
    `${retired} instructions retired`,
    `${compiled} of them in compiled code (${percent.toFixed(1)} %)`,
    `${blocks} blocks lifted, ${regions} regions compiled in ${modules} modules`,
  ];
}

function splitVariable(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}
