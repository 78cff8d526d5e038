/**
 * Starting programs as gdbserver does: `exec` by a shell, by the words of `--wrapper`, or directly; and joining processes that run already.
 *
 * gdbserver always has a shell in between, which does nothing but find the program and exec it, as its arguments are quoted. Here the shell is started
 * only when it is needed: for what is no program that the kernel can start (the shell says what is wrong, or runs it as a script), and for a wrapper.
 */
import type { StopEvent as MachineStop } from '../emulator/hooks.js';
import type { Machine } from '../emulator/machine.js';
import type { ExitStatus, Process } from '../emulator/process.js';
import type { LoadFailure } from '../emulator/program-loader.js';
import { SIGNAL } from '../emulator/signals.js';
import type { Thread } from '../emulator/thread.js';
import { EBUSY, ENOENT, type Rejected, rejected } from '../rsp/error-code.js';

export interface StartRequest {
  /** No search here. */
  readonly path: string;
  readonly argv: readonly string[];
  /** `NAME=VALUE` */
  readonly environment: readonly string[];
  /** Absolute; undefined: the server's own. */
  readonly directory: string | undefined;
  readonly randomise: boolean;
}

/** Makes processes of the machine (server/guest-machine.ts). */
export interface ProgramStarter {
  /** The process stands before its first instruction; or why there is none. */
  start(request: StartRequest): Process | LoadFailure;
  /** Absolute path of a regular file with this name in the directory; undefined: there is none. */
  fileIn(directory: string | undefined, name: string): string | undefined;
  /** Absolute name of the working directory as a shell has it in PWD: `claimed` if it leads there. */
  nameOf(directory: string | undefined, claimed: string | undefined): string;
}

/** A start that failed in the program's own hands: as the shell or wrapper ended. */
export interface StartupEnd {
  readonly startupEnd: ExitStatus;
}

export interface LaunchSettings {
  readonly environment: ReadonlyMap<string, string>;
  readonly wrapper: readonly string[];
  readonly withShell: boolean;
  readonly randomise: boolean;
}

/** What becomes of the process that is being started, told by the machine's hooks. */
export interface LaunchWatch {
  /** True: it is the last exec before the program itself. */
  execed(thread: Thread): boolean;
  /** True: it is the process that is being started. */
  exited(process: Process): boolean;
}

/** Instructions between looks at whether the program is there. */
const PIECE = 1_000_000;
/** The shell's path when SHELL does not say. */
const DEFAULT_SHELL = '/bin/sh';

export class ProgramLauncher implements LaunchWatch {
  private environment: Map<string, string>;
  private directory: string | undefined;
  private withShell: boolean;
  private randomise: boolean;
  private lastProgram: readonly string[] | undefined;
  private current: readonly string[] = [];
  private starting: { readonly process: Process; execs: number } | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly starter: ProgramStarter,
    private readonly settings: LaunchSettings,
    /** Gets what else happens in the machine while a shell runs. */
    private readonly others: (event: MachineStop) => void = () => undefined,
  ) {
    this.environment = new Map(settings.environment);
    this.withShell = settings.withShell;
    this.randomise = settings.randomise;
  }

  setEnvironment(name: string, value: string): void {
    this.environment.set(name, value);
  }

  unsetEnvironment(name: string): void {
    this.environment.delete(name);
  }

  resetEnvironment(): void {
    this.environment = new Map(this.settings.environment);
  }

  setWorkingDirectory(path: string | undefined): void {
    this.directory = path;
  }

  setStartWithShell(on: boolean): void {
    this.withShell = on;
  }

  setRandomization(on: boolean): void {
    this.randomise = on;
  }

  /** No program: the one of the last time. The process stands before its first instruction and is not under the debugger yet. */
  launch(program: string | undefined, args: readonly string[]): Process | StartupEnd | Rejected {
    if (this.starting !== undefined) return rejected(EBUSY, 'a program is being started');
    const words = program === undefined ? this.lastProgram : [program, ...args];
    if (words === undefined) return rejected(ENOENT, 'no program to run');
    this.lastProgram = words;
    this.current = this.located(words);
    return this.exec(this.current);
  }

  /** A file of the working directory needs no `./`, as in gdbserver (class program_path). */
  private located([program = '', ...args]: readonly string[]): readonly string[] {
    const found = program.includes('/') ? undefined : this.starter.fileIn(this.directory, program);
    return [found ?? program, ...args];
  }

  /** What was started last, or tried to be: as it is announced. */
  get program(): string {
    return this.current[0] ?? '';
  }

  private exec(words: readonly string[]): Process | StartupEnd | Rejected {
    const all = [...this.settings.wrapper, ...words];
    if (this.settings.wrapper.length === 0) {
      const found = this.startDirectly(all);
      if (!('errno' in found)) return found;
      if (!this.withShell) return { startupEnd: { kind: 'exited', code: found.errno === ENOENT ? 127 : 126 } };
    }
    const execs = this.settings.wrapper.length > 0 ? 1 : 0;
    return this.withShell ? this.startByShell(all, execs + 1) : this.startByWrapper(all);
  }

  /** Without shell and wrapper; found in PATH if it is a mere name. */
  startDirectly(words: readonly string[]): Process | LoadFailure {
    let failure: LoadFailure = { errno: ENOENT };
    for (const path of this.candidates(words[0] ?? '')) {
      const found = this.start(path, words);
      if (!('errno' in found)) return found;
      if (failure.errno === ENOENT) failure = found;
    }
    return failure;
  }

  /** Where PATH says that a program may be. */
  private candidates(program: string): readonly string[] {
    if (program.includes('/')) return [program];
    const folders = (this.environment.get('PATH') ?? '/usr/local/bin:/usr/bin:/bin').split(':');
    return folders.map((folder) => (folder === '' ? `./${program}` : `${folder}/${program}`));
  }

  private start(path: string, argv: readonly string[]): Process | LoadFailure {
    const variables = new Map(this.environment);
    // A shell that is not started would have told the program where it is.
    if (this.withShell) variables.set('PWD', this.starter.nameOf(this.directory, variables.get('PWD')));
    const environment = [...variables].map(([name, value]) => `${name}=${value}`);
    return this.starter.start({ path, argv, environment, directory: this.directory, randomise: this.randomise });
  }

  private startByWrapper(words: readonly string[]): Process | StartupEnd | Rejected {
    const process = this.startDirectly(words);
    if ('errno' in process) return { startupEnd: { kind: 'exited', code: process.errno === ENOENT ? 127 : 126 } };
    return this.runToProgram(process, 1);
  }

  private startByShell(words: readonly string[], execs: number): Process | StartupEnd | Rejected {
    const shell = this.environment.get('SHELL') ?? DEFAULT_SHELL;
    const process = this.start(shell, [shell, '-c', `exec ${words.map(quote).join(' ')}`]);
    if ('errno' in process) return rejected(process.errno, `cannot run ${shell}`);
    return this.runToProgram(process, execs);
  }

  /** Runs shell and wrapper until the last of them has become the program. */
  private runToProgram(process: Process, execs: number): Process | StartupEnd | Rejected {
    this.starting = { process, execs };
    try {
      for (;;) {
        const result = this.machine.run(PIECE);
        if (result.kind === 'exited') return this.end(process);
        if (result.kind === 'idle') {
          if (result.deadline === undefined) return rejected(EBUSY, 'the program does not start');
          this.machine.clock.jumpTo(result.deadline);
        }
        if (result.kind !== 'stop') continue;
        const { event } = result;
        if (event.kind === 'exec' && event.thread.process === process) return process;
        if (event.kind === 'process-exit' && event.process === process) return this.end(process);
        this.others(event);
      }
    } finally {
      this.starting = undefined;
    }
  }

  private end({ status }: Process): StartupEnd {
    return { startupEnd: status ?? { kind: 'killed', signal: SIGNAL.KILL, core: false } };
  }

  execed({ process }: Thread): boolean {
    const { starting } = this;
    return starting?.process === process && --starting.execs <= 0;
  }

  exited(process: Process): boolean {
    return this.starting?.process === process;
  }
}

/** For a shell: no character of the word means anything to it. */
function quote(word: string): string {
  return /^[\w%+,./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
