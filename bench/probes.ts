/**
 * What one hit of a probe costs, by method: (CPU time with the probe - without) / hits, the median of alternating runs of one program whose hits are
 * verified. Printed in nanoseconds and in emulated call+ret pairs of the same run, which compare between machines. scripts/bench-probes builds and runs it.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { assemble, op } from '../src/agent-expression/assemble.js';
import type { AgentProgram } from '../src/agent-expression/program.js';
import { ElfFile } from '../src/elf/elf-file.js';
import { elfSymbols } from '../src/elf/symbols.js';
import { NO_HOOKS } from '../src/emulator/hooks.js';
import type { Thread } from '../src/emulator/thread.js';
import { type BoundEngine, bindEngine } from '../src/inferior/probe-engine.js';
import { DEFAULT_MACHINE } from '../src/options.js';
import { GPR, registerNamed } from '../src/register-set.js';
import { NO_VARIABLES } from '../src/rsp/agent-machine.js';
import { Drive } from '../src/server/drive.js';
import { createGuestMachine } from '../src/server/guest-machine.js';
import type { Method } from '../src/uprobes/arch.js';
import { Counter } from '../src/uprobes/counter.js';
import type { HostProcess } from '../src/uprobes/port.js';
import { isProbeError } from '../src/uprobes/probe-error.js';
import type { HandlerResult, ProbeHandlers } from '../src/uprobes/uprobe.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5' }, seconds: { type: 'string', default: '1' }, only: { type: 'string' } },
});
const [program = ''] = positionals;
const RUNS = Number(values.runs);
/** CPU time of a run that is long enough to be measured, in ns. */
const WANTED = Number(values.seconds) * 1e9;

const RDI = op('reg', registerNamed('rdi').number);
const RSP = op('reg', registerNamed('rsp').number);
const MINUS_ONE = [...op('const8', 1), ...op('const8', 2), ...op('sub')];
/** What gdb sends for `$rdi == -1`, and for a word of memory. */
const FALSE = assemble(RDI, MINUS_ONE, op('equal'));
const FALSE_MEMORY = assemble(RSP, op('ref64'), MINUS_ONE, op('equal'));

interface Placed {
  readonly bound: BoundEngine;
  readonly process: HostProcess;
  readonly address: number;
}

/** Puts a consumer in place; how many hits it has seen. */
type Consumer = (placed: Placed) => () => number;

const uprobe =
  (make: () => { handlers: ProbeHandlers; hits: () => number }): Consumer =>
  ({ bound, process, address }) => {
    const { handlers, hits } = make();
    const caller = { resolve: () => process, mayProbe: () => true, privileged: true };
    const error = bound.engine.register(caller, { pid: process.pid, vaddr: address, ...handlers });
    if (error !== undefined) throw new Error(error.reason);
    return hits;
  };

const counting = (when?: AgentProgram): Consumer =>
  uprobe(() => {
    const counter = new Counter(when);
    return { handlers: { counter }, hits: () => counter.hits };
  });
const handling = (handler: (count: () => void) => ProbeHandlers['handler']): Consumer =>
  uprobe(() => {
    let hits = 0;
    return { handlers: { handler: handler(() => hits++) } as ProbeHandlers, hits: () => hits };
  });
/** `beside`: so many of them are at the place. */
const stopping =
  (condition: AgentProgram, beside = 1): Consumer =>
  ({ bound, process, address }) => {
    const made = bound.engine.setBreakpoint({ process, address, conditions: [condition], commands: [] });
    if (isProbeError(made)) throw new Error(made.reason);
    return () => bound.engine.statistics.conditionsFalse / beside;
  };

const COUNTER = counting();
const CONDITION = stopping(FALSE);
const HANDLER = handling((count) => () => {
  count();
  return 'continue';
});
const READER = handling((count) => (hit) => {
  if (hit.get(GPR.RDI) >= 0n) count();
  return 'continue';
});
const ASYNC = handling((count) => async (): Promise<HandlerResult> => {
  count();
  return 'continue';
});
const RETURNING = uprobe(() => {
  let hits = 0;
  return { handlers: { retHandler: () => void hits++ }, hits: () => hits };
});

interface Case {
  readonly name: string;
  /** The function that is called; its first instruction is probed. */
  readonly calls: 'f_nop' | 'f_push' | 'f_xor' | 'f_load';
  readonly methods: readonly Method[];
  readonly consumers: readonly Consumer[];
  /** The int3 is answered without an engine. */
  readonly bare?: boolean;
}

const times = (consumer: Consumer, count: number): Consumer[] => Array.from({ length: count }, () => consumer);
const hook: readonly Method[] = ['hook'];
const CASES: readonly Case[] = [
  { name: 'counter, inline', calls: 'f_nop', methods: hook, consumers: [COUNTER] },
  ...[2, 4, 8].map((n): Case => ({ name: `${n} counters, inline`, calls: 'f_nop', methods: hook, consumers: times(COUNTER, n) })),
  { name: 'false condition ($rdi == -1), inline', calls: 'f_nop', methods: hook, consumers: [CONDITION] },
  ...[2, 4, 8].map((n): Case => ({ name: `${n} false conditions, inline`, calls: 'f_nop', methods: hook, consumers: times(stopping(FALSE, n), n) })),
  { name: 'false condition on memory, inline', calls: 'f_nop', methods: hook, consumers: [stopping(FALSE_MEMORY)] },
  { name: 'counter on a push, inline', calls: 'f_push', methods: hook, consumers: [COUNTER] },
  { name: 'counter on a load, inline', calls: 'f_load', methods: hook, consumers: [COUNTER] },
  { name: 'handler, inline', calls: 'f_nop', methods: hook, consumers: [HANDLER] },
  ...[2, 4, 8].map((n): Case => ({ name: `${n} handlers, inline`, calls: 'f_nop', methods: hook, consumers: times(HANDLER, n) })),
  { name: 'handler that reads a register, inline', calls: 'f_nop', methods: hook, consumers: [READER] },
  { name: 'return handler, inline entry', calls: 'f_nop', methods: ['hook', 'emulate'], consumers: [RETURNING] },
  { name: 'asynchronous handler, then emulated', calls: 'f_nop', methods: ['hook', 'emulate'], consumers: [ASYNC] },
  { name: 'trap alone (int3 answered at once)', calls: 'f_nop', methods: [], consumers: [], bare: true },
  { name: 'counter, emulated nop', calls: 'f_nop', methods: ['emulate'], consumers: [COUNTER] },
  { name: 'handler, emulated nop', calls: 'f_nop', methods: ['emulate'], consumers: [HANDLER] },
  { name: 'false condition, emulated nop', calls: 'f_nop', methods: ['emulate'], consumers: [CONDITION] },
  { name: 'handler, emulated push', calls: 'f_push', methods: ['emulate'], consumers: [HANDLER] },
  { name: 'handler, boosted xor', calls: 'f_xor', methods: ['boost'], consumers: [HANDLER] },
  { name: 'counter, XOL step of xor', calls: 'f_xor', methods: ['xol'], consumers: [COUNTER] },
  { name: 'handler, XOL step of xor', calls: 'f_xor', methods: ['xol'], consumers: [HANDLER] },
  { name: 'handler, step in place of xor', calls: 'f_xor', methods: ['inline'], consumers: [HANDLER] },
];

/** The program is not relocated. */
const elf = ElfFile.read(readFileSync(program));
const ADDRESSES = new Map(elf && elfSymbols(elf).map(({ name, address }) => [name, address]));

const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return 1000 * (user + system);
};

/** CPU time in ns of n calls, with this case's probes or without. */
async function run({ calls, methods, consumers, bare }: Case, n: number, probed: boolean): Promise<number> {
  const options = { ...DEFAULT_MACHINE, maxMemory: 1 << 27, epoch: 0, network: false, fastSleep: true };
  const guest = createGuestMachine(options);
  const drive = new Drive(guest, options);
  const { machine } = guest;
  const bound = bindEngine(
    {
      machine,
      agentMachine: () => ({ ...NO_VARIABLES, readMemory: () => false, readRegister: () => undefined, print: () => undefined }),
      isStepping: () => false,
      unparked: () => drive.wake(),
    },
    { methods: new Set(methods) },
  );
  const [, which] = calls.split('_');
  const argv = [program, which ?? '', String(n)];
  const started = guest.starter.start({ path: program, argv, environment: [], directory: undefined, randomise: false });
  if ('errno' in started) throw new Error(`errno ${started.errno}`);
  const view = bound.port.process(started);
  const vaddr = ADDRESSES.get(calls);
  if (vaddr === undefined) throw new Error(`no function ${calls}`);
  let trapped = 0;
  const trap = (thread: Thread): 'resume' => {
    trapped++;
    thread.cpu.rip++;
    machine.account(thread, 1);
    return 'resume';
  };
  machine.hooks = {
    ...NO_HOOKS,
    breakpoint: bare ? trap : (thread) => bound.hooks.breakpoint(thread),
    hook: (thread, hook) => bound.hooks.hook(thread, hook),
    settle: (thread, exit) => bound.hooks.settle(thread, exit),
  };
  const seen = probed ? consumers.map((place) => place({ bound, process: view, address: vaddr })) : [];
  if (probed && bare) view.space.insertSwbp(vaddr);
  const before = cpuTime();
  for (;;) {
    const result = drive.piece((limit) => machine.run(limit));
    if (result.kind === 'exited') break;
    await drive.pause(result.kind === 'idle' ? result : { kind: 'limit' });
  }
  const took = cpuTime() - before;
  for (const hits of seen) if (hits() !== n) throw new Error(`${hits()} hits of ${n}`);
  if (probed && bare && trapped !== n) throw new Error(`${trapped} traps of ${n}`);
  return took;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** Calls whose hits take long enough, tried with ever more: start-up and compilation must not count. */
async function calibrate(one: Case): Promise<number> {
  for (let n = 20_000; ; ) {
    const took = (await run(one, n, true)) - (await run(one, n, false));
    if (took >= WANTED || n >= 100_000_000) return n;
    n = Math.ceil(n * Math.min(20, Math.max(1.5, (1.3 * WANTED) / Math.max(took, 1))));
  }
}

const wanted = values.only?.split(',');
const plain: Case = { name: '', calls: 'f_nop', methods: hook, consumers: [] };
const calls = Math.ceil(WANTED / 3);
const units: number[] = [];
for (let i = 0; i < RUNS; i++) units.push((await run(plain, calls, false)) / calls);
const unit = median(units);
console.log(`call+ret in a loop, emulated: ${unit.toFixed(2)} ns\n`);
console.log(`${'a hit of'.padEnd(40)} ${'ns'.padStart(9)} ${'call+ret'.padStart(9)}`);
const costs = new Map<string, number>();
for (const one of CASES) {
  if (wanted !== undefined && !wanted.some((word) => one.name.includes(word))) continue;
  const n = await calibrate(one);
  const differences: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const without = await run(one, n, false);
    differences.push((await run(one, n, true)) - without);
  }
  const cost = median(differences) / n;
  costs.set(one.name, cost);
  console.log(`${one.name.padEnd(40)} ${cost.toFixed(1).padStart(9)} ${(cost / unit).toFixed(1).padStart(9)}`);
}

/** Differences of what was measured. */
const parts: readonly [part: string, of: string, less: string | undefined][] = [
  ['trap', 'trap alone (int3 answered at once)', undefined],
  ['lookup, consumer list, emulation', 'counter, emulated nop', 'trap alone (int3 answered at once)'],
  ['handler', 'handler, emulated nop', 'counter, emulated nop'],
  ['slot and step instead of emulation', 'counter, XOL step of xor', 'counter, emulated nop'],
];
console.log('\nof a hit that leaves translated code');
for (const [part, of, less] of parts) {
  const [whole, rest] = [costs.get(of), less === undefined ? 0 : costs.get(less)];
  if (whole !== undefined && rest !== undefined) console.log(`${part.padEnd(40)} ${(whole - rest).toFixed(1).padStart(9)} ns`);
}
