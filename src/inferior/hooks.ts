/** What the machine asks while it runs: each question goes to whom it concerns, the probe engine first where both do. */
import type { Answer, MachineHooks } from '../emulator/hooks.js';
import type { Machine } from '../emulator/machine.js';
import type { Process } from '../emulator/process.js';
import type { SigInfo } from '../emulator/signals.js';
import type { Thread } from '../emulator/thread.js';
import type { CodePoints } from './code-points.js';
import type { Control } from './control.js';
import type { Debugged } from './debugged.js';
import type { LaunchWatch } from './launcher.js';
import type { ProbeHooks } from './probe-hooks.js';
import type { SignalRules } from './signals.js';
import type { TraceSites } from './tracing.js';
import type { WatchPoints } from './watch-points.js';

export interface HookParts {
  readonly machine: Machine;
  readonly debugged: Debugged;
  readonly control: Control;
  readonly probes: ProbeHooks;
  readonly codePoints: CodePoints;
  readonly watchPoints: WatchPoints;
  readonly rules: SignalRules;
  readonly traceSites: TraceSites;
  readonly launching: LaunchWatch;
  /** A program signals the virtual root: the server itself. */
  rootSignal(info: SigInfo): void;
}

/** A hit with a condition takes as long as thousands of instructions: after so many the event loop gets its turn. */
const HITS_IN_A_RUN = 64;

export function debuggerHooks(parts: HookParts): MachineHooks {
  let hits = 0;
  const { machine } = parts;
  const { debugged, control, probes, codePoints, watchPoints, rules, traceSites, launching } = parts;
  const wants = (thread: Thread, kind: Parameters<Control['reported']['has']>[0]): boolean =>
    debugged.has(thread.process) && control.reported.has(kind);
  const catches = (process: Process, nr: number): boolean => {
    const caught = debugged.of(process)?.caught;
    return caught === 'all' || caught?.has(nr) === true;
  };
  const forgetProcess = (process: Process): void => {
    codePoints.removeAll(process.pid);
    watchPoints.forget(process);
  };
  const created = (parent: Thread, child: Thread): Answer => {
    if (!wants(parent, 'threads')) return 'go';
    // Alone the new thread stops; the other one is in the middle of its step.
    if (!control.nonStop) return 'stop';
    control.reportCreated(child);
    return 'go';
  };
  const joins = (parent: Thread, child: Thread): Answer => {
    const owner = debugged.of(parent.process);
    if (owner === undefined) return 'go';
    debugged.join(child.process, owner);
    codePoints.copy(parent.process, child.process);
    watchPoints.copy(parent.process, child.process);
    return created(parent, child);
  };
  /** It is no debugger's business any more. */
  const leaves = (member: Process): void => {
    forgetProcess(member);
    debugged.leave(member);
    for (const thread of member.threads.values()) {
      if (thread.held) machine.scheduler.release(thread, { kind: 'continue' });
    }
  };
  return {
    breakpoint(thread) {
      if (++hits % HITS_IN_A_RUN === 0) machine.scheduler.endRun();
      return probes.breakpoint(thread);
    },
    hook: (thread, hook) => probes.hook(thread, hook),
    settle: (thread, exit) => probes.settle(thread, exit),
    signal: (thread, info) => (!debugged.has(thread.process) || rules.passes(thread, info) ? 'deliver' : 'stop'),
    watch: (thread, hits) => (watchPoints.sees(thread, hits) ? 'stop' : 'go'),
    stepped: (thread) => (traceSites.stepped(thread) || !debugged.has(thread.process) ? 'go' : 'stop'),
    fork(parent, child, how) {
      probes.forked(parent, child);
      if (how === 'clone') return joins(parent, child);
      if (!wants(parent, how)) return 'go';
      const { attached } = debugged.of(parent.process) ?? { attached: false };
      debugged.add(child.process, attached);
      codePoints.copy(parent.process, child.process);
      watchPoints.copy(parent.process, child.process);
      return 'stop';
    },
    vforkDone: (parent) => (wants(parent, 'vfork') ? 'stop' : 'go'),
    clone(parent, child) {
      probes.cloned(parent, child);
      return created(parent, child);
    },
    exec(thread) {
      forgetProcess(thread.process);
      probes.execed(thread);
      if (debugged.isMember(thread.process)) leaves(thread.process);
      return launching.execed(thread) || debugged.has(thread.process) ? 'stop' : 'go';
    },
    threadExit(thread) {
      probes.threadExited(thread);
      return wants(thread, 'threads') ? 'stop' : 'go';
    },
    processExit(process) {
      forgetProcess(process);
      probes.processExited(process);
      if (debugged.isMember(process)) {
        debugged.leave(process);
        return control.reported.has('threads') ? 'stop' : 'go';
      }
      for (const member of debugged.get(process.pid)?.members ?? []) leaves(member);
      return launching.exited(process) || debugged.has(process) ? 'stop' : 'go';
    },
    syscallEntry: () => 'stop',
    syscallReturn: () => 'stop',
    catchesSyscall: catches,
    rootSignal: (info) => parts.rootSignal(info),
    spaceGone(process) {
      codePoints.forgetSpace(process.space.id);
      probes.spaceGone(process);
    },
  };
}
