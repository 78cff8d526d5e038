/** What a run of a program shows with a probe on every instruction that it executes, and without any. */
import { expect } from 'vitest';
import type { Thread } from '../../src/emulator/thread.js';
import type { MachineOptions } from '../../src/options.js';
import type { Method } from '../../src/uprobes/arch.js';
import type { FileId, HostThread } from '../../src/uprobes/port.js';
import { isProbeError } from '../../src/uprobes/probe-error.js';
import type { Hit } from '../../src/uprobes/uprobe.js';
import { analyze, MAX_INSN_LENGTH } from '../../src/uprobes/x86/analyze.js';
import { finish, type Program, registers, start } from './real-machine.js';

/** All that can be observed of a run. */
export interface Observed {
  /** Who executes what with which registers, before each instruction. A REP instruction's iterations after the first do not count. */
  readonly trace: readonly string[];
  readonly retired: number;
  readonly status: unknown;
  /** Digest of its memory at its end. */
  readonly memory: string | undefined;
}

/** Entries of a trace, which is kept as text. */
const LONGEST = 700_000;
const CPU = { cpu: 'v3' } as const;

function line(thread: HostThread): string {
  return `${thread.tid} ${registers(thread)}`;
}

/** A byte of a file: in every process that maps it, from then on. */
interface FilePlace {
  readonly file: FileId;
  readonly offset: number;
}

/** A run without probes, and where its instructions are. */
export interface Unprobed extends Observed {
  readonly executed: ReadonlySet<number>;
  /** Those in files. */
  readonly inFiles: ReadonlyMap<string, FilePlace>;
}

/** One instruction at a time. */
export function unprobed(argv: readonly string[], options: Partial<MachineOptions> = {}): Unprobed {
  const program = start(argv, {}, { ...CPU, ...options });
  const { machine } = program.guest;
  const trace: string[] = [];
  const executed = new Set<number>();
  const inFiles = new Map<string, FilePlace>();
  /** Other programs have other files at the same addresses. */
  const seen = new Map<string, Set<number>>();
  const { execution } = machine;
  const run = execution.run.bind(execution);
  /** Where each thread was latest. */
  const last = new Map<number, number>();
  execution.run = (cpu, space, fuel) => {
    expect(fuel).toBe(1);
    const thread = [...machine.threads.values()].find((one) => one.cpu === cpu) as Thread;
    const view = program.port.thread(thread);
    if (last.get(view.tid) !== view.ip || !isRepeating(view)) trace.push(line(view));
    last.set(view.tid, view.ip);
    const image = `${view.tid} ${thread.process.image.exe}`;
    const known = seen.get(image) ?? new Set<number>();
    seen.set(image, known);
    if (!known.has(view.ip)) {
      const { file, start = 0, offset = 0 } = view.process.space.vma(view.ip) ?? {};
      const at = view.ip - start + offset;
      if (file !== undefined) inFiles.set(`${file.dev} ${file.ino} ${at}`, { file, offset: at });
      known.add(view.ip);
    }
    executed.add(view.ip);
    if (trace.length > LONGEST) throw new Error(`${argv} is too long`);
    return run(cpu, space, fuel);
  };
  finish(program, 1);
  return { ...outcome(program, trace), executed, inFiles };
}

function isRepeating({ ip, process }: HostThread): boolean {
  const bytes = new Uint8Array(MAX_INSN_LENGTH);
  const insn = analyze(bytes.subarray(0, process.space.read(ip, bytes)), ip, { strict: false });
  return !isProbeError(insn) && insn.repeats;
}

function outcome({ guest, status, memory }: Program, trace: readonly string[]): Observed {
  return { trace, retired: guest.machine.clock.retired, status, memory };
}

export function probed(
  argv: readonly string[],
  places: Iterable<number | FilePlace>,
  methods: readonly Method[],
  machine: Partial<MachineOptions> = {},
  slots: 'near' | 'far' = 'near',
): Observed & { readonly counts: Record<Method, number> } {
  const program = start(
    argv,
    { methods: new Set(methods), maxProbepoints: LONGEST },
    { ...CPU, ...machine },
    { slots },
  );
  const trace: string[] = [];
  for (const place of places) {
    if (typeof place === 'number') probeAt(program, place, trace);
    else probeFile(program, place, trace);
  }
  finish(program);
  program.engine.checkInvariants();
  return { ...outcome(program, trace), counts: program.engine.statistics.executed };
}

/** In the process and its children. Where handlers may not be, tracepoints may. */
function probeAt({ engine, caller, port, process }: Program, vaddr: number, trace: string[]): void {
  const note = (thread: HostThread): 'continue' => {
    trace.push(line(thread));
    return 'continue';
  };
  const refused = engine.register(caller, {
    pid: process.pid,
    vaddr,
    handler: ({ thread }) => note(thread),
    wantsProbe: () => true,
  });
  if (refused === undefined) return;
  expect(['EEXIST', 'ENOTSUPP']).toContain(refused.name);
  const collector = engine.setCollector({ process: port.process(process), address: vaddr, collect: note });
  if (isProbeError(collector)) throw new Error(collector.reason);
}

function probeFile({ engine, caller }: Program, place: FilePlace, trace: string[]): void {
  const handler = ({ thread }: Hit): 'continue' => {
    trace.push(line(thread));
    return 'continue';
  };
  const refused = engine.registerFile(caller, { ...place, handler });
  if (refused !== undefined) throw new Error(refused.reason);
}

export const METHODS: Method[][] = [
  ['hook'],
  ['emulate'],
  ['boost'],
  ['xol'],
  ['inline'],
  ['emulate', 'boost', 'xol', 'inline'],
  ['hook', 'emulate', 'boost', 'xol', 'inline'],
];

/** Fails with the first difference. */
export function expectSame(seen: Observed, { trace, retired, status, memory }: Observed): void {
  const at = trace.findIndex((entry, i) => entry !== seen.trace[i]);
  expect(at < 0 ? 'the same' : { at, entry: seen.trace[at], before: trace[at - 1] }).toEqual(
    at < 0 ? 'the same' : { at, entry: trace[at], before: trace[at - 1] },
  );
  expect([seen.trace.length, seen.retired, seen.status, seen.memory]).toEqual([trace.length, retired, status, memory]);
}
