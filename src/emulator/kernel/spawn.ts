/** The first process of a program that the server or `run` starts: a child of the virtual root. */
import type { Tid } from '../../types.js';
import type { Machine } from '../machine.js';
import { type Credentials, type FsContext, Process, type ProcessFiles } from '../process.js';
import type { LoadFailure } from '../program-loader.js';
import { DEFAULT_ACTION, SIG_IGN, SIGNAL_COUNT } from '../signals.js';
import { Thread } from '../thread.js';
import { ENOMEM } from './errno.js';
import { giveHostTerminal } from './tty/host-terminal.js';

export interface SpawnRequest {
  /** Path of the executable; no search in PATH here. */
  readonly path: string;
  readonly argv: readonly Uint8Array[];
  readonly environ: readonly Uint8Array[];
  readonly fs: FsContext;
  readonly files: ProcessFiles;
  readonly credentials: Credentials;
  /** A process group of its own, as gdbserver gives it; else it stays in the root's. */
  readonly ownGroup: boolean;
  /** Signals that were ignored when the server started stay ignored. */
  readonly ignored?: readonly number[];
  /** personality(2) at the start; 0 when absent. */
  readonly personality?: number;
}

/** The new process, runnable at its first instruction; or why there is none. */
export function spawn(machine: Machine, request: SpawnRequest): Process | LoadFailure {
  const { root } = machine;
  if (root === undefined) throw new Error('a machine without a root process');
  const process = makeProcess(machine, root, request);
  process.personality = request.personality ?? 0;
  const program = machine.loader.load({
    machine,
    process,
    path: request.path,
    directory: -100,
    flags: 0,
    argv: request.argv,
    environ: request.environ,
  });
  if ('errno' in program) return program;
  const cpu = machine.newCpu();
  if (cpu === undefined) return { errno: ENOMEM };
  process.space = program.space;
  process.image = program.image;
  process.credentials = program.credentials;
  process.hasExecuted = true;
  machine.abi.start(cpu, program.entry, program.stack);
  const thread = new Thread(process.pid as number as Tid, process, cpu, program.comm);
  process.threads.set(thread.tid, thread);
  root.children.add(process);
  machine.processes.set(process.pid, process);
  machine.threads.set(thread.tid, thread);
  giveHostTerminal(machine, process);
  machine.scheduler.enqueue(thread);
  return process;
}

function makeProcess(machine: Machine, root: Process, request: SpawnRequest): Process {
  const pid = machine.newPid();
  const ignored = new Set(request.ignored);
  return new Process({
    pid,
    parent: root,
    pgid: request.ownGroup ? pid : root.pgid,
    sid: root.sid,
    space: root.space,
    files: request.files,
    fs: request.fs,
    handlers: {
      actions: Array.from({ length: SIGNAL_COUNT + 1 }, (_, signal) => {
        return ignored.has(signal) ? { ...DEFAULT_ACTION, handler: SIG_IGN } : DEFAULT_ACTION;
      }),
      users: 1,
    },
    credentials: request.credentials,
    limits: [...machine.config.limits],
    image: root.image,
    comm: request.path,
    startTime: machine.clock.monotonic,
    childKey: machine.newWaitKey(),
    signalKey: machine.newWaitKey(),
  });
}
