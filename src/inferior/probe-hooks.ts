/** The part of the machine's hooks that is the probe engine's (uprobes-port.ts), and where probes are planted. */
import type { BreakpointAnswer } from '../emulator/hooks.js';
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import type { ProbeSites } from './code-points.js';

export interface ProbeHooks extends ProbeSites {
  breakpoint(thread: Thread): BreakpointAnswer;
  resumed(thread: Thread, how: 'continue' | 'step'): void;
  forked(parent: Thread, child: Thread): void;
  cloned(parent: Thread, child: Thread): void;
  execed(thread: Thread): void;
  threadExited(thread: Thread): void;
  processExited(process: Process): void;
  spaceGone(process: Process): void;
}
