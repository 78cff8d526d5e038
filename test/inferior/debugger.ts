/** A scripted machine under the debugger, with a probe engine that executes an int3 of the script as one instruction. */
import type { AgentMachine } from '../../src/agent-expression/evaluate.js';
import { evaluate, evaluateConditions } from '../../src/agent-expression/evaluate.js';
import type { Exit } from '../../src/emulator/executor.js';
import type { MachineConfig } from '../../src/emulator/machine.js';
import type { Process } from '../../src/emulator/process.js';
import type { Thread } from '../../src/emulator/thread.js';
import type { Collector, PlantedProbe, ProbeHooks, StopProbe } from '../../src/inferior/probe-hooks.js';
import { Inferior } from '../../src/inferior.js';
import { registerNamed } from '../../src/register-set.js';
import type { StopEvent } from '../../src/rsp/stop-event.js';
import type { ThreadId } from '../../src/rsp/thread-id.js';
import type { Pid, Tid } from '../../src/types.js';
import { type Program, type Programs, type Scripted, scripted } from '../emulator/kernel/scripted.js';

/** Every int3 of a script is an instruction of one byte; with a probe on it, it is a hit. */
class ScriptedProbes implements ProbeHooks {
  /** In the order of planting. */
  readonly stops: { readonly key: string; readonly probe: StopProbe }[] = [];
  readonly collectors = new Map<string, (thread: Thread) => void>();
  readonly log: string[] = [];

  constructor(
    private readonly guest: () => Scripted,
    private readonly agentMachine: (thread: Thread) => AgentMachine,
    private readonly isStepping: (thread: Thread) => boolean,
  ) {}

  plantStop({ pid }: Process, address: number, probe: StopProbe): PlantedProbe {
    const planted = { key: `${pid} ${address}`, probe };
    this.stops.push(planted);
    return { withdraw: () => this.forget((other) => other === planted) };
  }

  plantCollector({ pid }: Process, address: number, { collect }: Collector): PlantedProbe {
    this.collectors.set(`${pid} ${address}`, collect);
    return { withdraw: () => void this.collectors.delete(`${pid} ${address}`) };
  }

  breakpoint(thread: Thread): 'stop' | 'resume' {
    const key = `${thread.process.pid} ${thread.cpu.rip}`;
    if (!this.isStepping(thread)) {
      this.collectors.get(key)?.(thread);
      if (this.stops.some((planted) => planted.key === key && this.wantsStop(thread, planted.probe))) return 'stop';
    }
    thread.cpu.rip++;
    this.guest().machine.account(thread, 1);
    return 'resume';
  }

  hook(): never {
    throw new Error('scripts have no translated code');
  }

  private wantsStop(thread: Thread, { conditions, commands }: StopProbe): boolean {
    const machine = this.agentMachine(thread);
    if (!evaluateConditions(conditions, machine).stop) return false;
    for (const command of commands) evaluate(command, machine);
    return commands.length === 0;
  }

  private forget(doomed: (planted: { readonly key: string }) => boolean): void {
    this.stops.splice(0, this.stops.length, ...this.stops.filter((planted) => !doomed(planted)));
  }

  resumed(thread: Thread, how: 'continue' | 'step'): void {
    this.log.push(`${thread.tid} ${how}`);
  }
  settle(_thread: Thread, exit: Exit): Exit {
    return exit;
  }
  overlay(): void {}
  forked(): void {}
  cloned(): void {}
  execed(): void {}
  threadExited(): void {}
  processExited(): void {}
  spaceGone({ pid }: Process): void {
    this.forget(({ key }) => key.startsWith(`${pid} `));
  }
  report(): readonly string[] {
    return [];
  }
}

export interface Debugger {
  readonly guest: Scripted;
  readonly inferior: Inferior;
  readonly probes: ScriptedProbes;
  readonly main: ThreadId;
  readonly printed: string[];
  readonly lines: string[];
  /** Lets everything run until the next report; virtual time jumps. */
  go(...actions: Parameters<Inferior['resume']>[0]): StopEvent | string;
  /** Continues all threads. */
  continue(signal?: number): StopEvent | string;
  step(id?: ThreadId): StopEvent | string;
  pc(id?: ThreadId): number;
}

/** The program stands before its first instruction. */
export function debug(program: Program, config: Partial<MachineConfig> = {}, programs: Programs = {}): Debugger {
  const guest = scripted(program, config, programs);
  const printed: string[] = [];
  const lines: string[] = [];
  let probes: ScriptedProbes | undefined;
  const inferior = new Inferior({
    machine: guest.machine,
    probes: (agentMachine, isStepping) => {
      probes = new ScriptedProbes(() => guest, agentMachine, isStepping);
      return probes;
    },
    starter: { start: () => guest.process, fileIn: () => undefined, nameOf: () => '/' },
    launch: { environment: new Map(), wrapper: [], withShell: false, randomise: false },
    announce: (line) => void lines.push(line),
    print: (text) => void printed.push(text),
  });
  inferior.start('/scripted', []);
  const main = { pid: guest.process.pid, tid: guest.process.pid as number as Tid };
  const run = (): StopEvent | string => {
    for (let i = 0; i < 1000; i++) {
      const event = inferior.nextReport();
      if (event !== undefined) return event;
      const progress = inferior.run(100_000);
      if (progress.kind === 'idle' && progress.deadline === undefined) return 'asleep';
      if (progress.kind === 'idle') guest.machine.clock.jumpTo(progress.deadline as number);
      if (progress.kind === 'held' || progress.kind === 'exited') return progress.kind;
    }
    throw new Error('no report');
  };
  const go: Debugger['go'] = (...actions) => {
    inferior.resume(actions);
    return run();
  };
  return {
    guest,
    inferior,
    probes: probes as unknown as ScriptedProbes,
    main,
    printed,
    lines,
    go,
    continue(signal = 0) {
      const all = inferior.threads().map(({ pid, tid }) => ({ pid, tid }));
      return go(...all.map((thread, i) => ({ kind: 'continue', thread, signal: i === 0 ? signal : 0 }) as const));
    },
    step: (id = main) => go({ kind: 'step', thread: id, signal: 0 }),
    pc(id = main) {
      const bytes = Buffer.alloc(8);
      inferior.readRegister(id, registerNamed('rip'), bytes);
      return Number(bytes.readBigUInt64LE());
    },
  };
}

export function breakpoint(pid: Pid, address: number): Parameters<NonNullable<Inferior['breakpoints']>['insert']>[0] {
  const none = { conditions: [], commands: [], persistent: false };
  return { kind: 'software', pid, address: BigInt(address), length: 1, ...none };
}
