/** A Target in memory: one or more processes with registers, some bytes and a log of what was asked. */
import type { RegisterRow } from '../../src/register-set.js';
import { registerSet } from '../../src/register-set.js';
import { EBADF, ENOENT, type Rejected, rejected } from '../../src/rsp/error-code.js';
import type { StopEvent } from '../../src/rsp/stop-event.js';
import type { ProcessInfo, Target, ThreadInfo } from '../../src/rsp/target.js';
import type {
  Breakpoint,
  BreakpointKind,
  BreakpointRequest,
  EventKind,
  HostFile,
  HostIo,
  Launcher,
  NonStop,
  OsData,
  ThreadLocalStorage,
} from '../../src/rsp/target-abilities.js';
import type { ThreadId } from '../../src/rsp/thread-id.js';
import type { Pid, Tid } from '../../src/types.js';

export const PID = 0x1234 as Pid;
/** Where the fake process has memory: two pages, of which the first byte of each is its number. */
export const MEMORY_START = 0x40_0000n;
export const MEMORY_SIZE = 0x2000;

export function thread(tid: number, pid: number = PID): ThreadId {
  return { pid: pid as Pid, tid: tid as Tid };
}

export const MAIN = thread(PID);

/** Every register's bytes are its number, its number + 1, ... unless written. */
function initialValue(row: RegisterRow): Uint8Array {
  return Uint8Array.from({ length: row.bits / 8 }, (_, i) => (row.number + i) & 0xff);
}

export class FakeTarget implements Target {
  /** What was asked of the target and changes something, one line each. */
  readonly calls: string[] = [];
  readonly memory = Buffer.alloc(MEMORY_SIZE);
  /** tid -> number -> bytes. */
  readonly values = new Map<number, Map<number, Uint8Array>>();
  readonly unavailable = new Set<string>();
  readonly inserted: BreakpointRequest[] = [];
  readonly files = new Map<string, Uint8Array>([
    ['/bin/prog', Buffer.from('\x7fELF and so on')],
    ['/proc/4660/maps', Buffer.from('00400000-00402000 r-xp 00000000 00:00 0 /bin/prog\n')],
  ]);
  rows = registerSet(true);
  alive: ProcessInfo[] = [{ pid: PID, attached: false }];
  list: ThreadInfo[] = [{ ...MAIN, name: 'prog', core: 0 }];
  auxvBytes: Uint8Array = Buffer.alloc(16);
  stopsOfThreads: StopEvent[] = [];
  readonly sigInfoBytes = Buffer.alloc(128, 0xaa);

  addThread(tid: number, { name = 'worker', core = 1, pid = PID as number } = {}): ThreadId {
    const id = thread(tid, pid);
    this.list.push({ ...id, name, core });
    return id;
  }

  addProcess(pid: number): ThreadId {
    this.alive.push({ pid: pid as Pid, attached: true });
    return this.addThread(pid, { pid, name: `child${pid}` });
  }

  processes(): readonly ProcessInfo[] {
    return this.alive;
  }

  threads(): readonly ThreadInfo[] {
    return this.list;
  }

  thread(id: ThreadId): ThreadInfo | undefined {
    return this.list.find(({ pid, tid }) => pid === id.pid && tid === id.tid);
  }

  registers(): readonly RegisterRow[] {
    return this.rows;
  }

  readRegister({ tid }: ThreadId, row: RegisterRow, into: Uint8Array): boolean {
    if (this.unavailable.has(row.name)) return false;
    into.set(this.values.get(tid)?.get(row.number) ?? initialValue(row));
    return true;
  }

  readRegisters(thread: ThreadId): Uint8Array {
    return Buffer.concat(
      this.rows.map((row) => {
        const value = new Uint8Array(row.bits / 8);
        this.readRegister(thread, row, value);
        return value;
      }),
    );
  }

  writeRegister({ tid }: ThreadId, row: RegisterRow, bytes: Uint8Array): boolean {
    if (this.unavailable.has(row.name)) return false;
    const values = this.values.get(tid) ?? new Map<number, Uint8Array>();
    this.values.set(tid, values.set(row.number, bytes.slice()));
    this.calls.push(`write ${row.name}=${Buffer.from(bytes).toString('hex')} of ${tid.toString(16)}`);
    return true;
  }

  readMemory(_pid: Pid, address: bigint, into: Uint8Array): number {
    const at = address - MEMORY_START;
    if (at < 0n || at >= BigInt(MEMORY_SIZE)) return 0;
    const bytes = this.memory.subarray(Number(at), Number(at) + into.length);
    into.set(bytes);
    return bytes.length;
  }

  writeMemory(_pid: Pid, address: bigint, bytes: Uint8Array): boolean {
    const at = address - MEMORY_START;
    if (at < 0n || at + BigInt(bytes.length) > BigInt(MEMORY_SIZE)) return false;
    this.memory.set(bytes, Number(at));
    return true;
  }

  auxv(): Uint8Array | undefined {
    return this.auxvBytes;
  }

  executable(pid: Pid): string | undefined {
    return this.alive.some((process) => process.pid === pid) ? '/bin/prog' : undefined;
  }

  kill(pid: Pid): void {
    this.calls.push(`kill ${pid.toString(16)}`);
    this.forget(pid);
  }

  detach(pid: Pid): void {
    this.calls.push(`detach ${pid.toString(16)}`);
    this.forget(pid);
  }

  private forget(pid: Pid): void {
    this.alive = this.alive.filter((process) => process.pid !== pid);
    this.list = this.list.filter((candidate) => candidate.pid !== pid);
  }

  readonly breakpoints = {
    kinds: new Set<BreakpointKind>(['software', 'hardware', 'write', 'read', 'access']),
    insert: (request: BreakpointRequest): Rejected | undefined => {
      if (this.readMemory(request.pid, request.address, new Uint8Array(1)) === 0) return rejected(14, 'not mapped');
      this.inserted.push(request);
      return undefined;
    },
    remove: (breakpoint: Breakpoint): Rejected | undefined => {
      this.calls.push(`remove ${breakpoint.kind} ${breakpoint.address.toString(16)},${breakpoint.length}`);
      return undefined;
    },
    removeAll: (): void => void this.calls.push('remove all'),
  };

  readonly signals = {
    pass: (signals: ReadonlySet<number>): void => void this.calls.push(`pass ${[...signals].join(' ')}`),
    program: (signals: ReadonlySet<number>): void => void this.calls.push(`program ${[...signals].join(' ')}`),
  };

  readonly sigInfo = {
    read: (): Uint8Array | Rejected => this.sigInfoBytes,
    write: (_thread: ThreadId, offset: number, bytes: Uint8Array): Rejected | undefined => {
      if (offset + bytes.length > 128) return rejected(22);
      this.sigInfoBytes.set(bytes, offset);
      return undefined;
    },
  };

  readonly hostIo: HostIo = {
    open: (pid, path, mode) => {
      this.calls.push(`open ${path} of ${pid ?? 'server'} ${mode.access}${mode.create ? ' create' : ''}`);
      const bytes = this.files.get(path);
      if (bytes === undefined && !mode.create) return rejected(ENOENT);
      return this.openFile(path);
    },
    unlink: (_pid, path) => (this.files.delete(path) ? undefined : rejected(ENOENT)),
    readLink: (_pid, path) => (path === '/proc/4660/exe' ? '/bin/prog' : rejected(ENOENT)),
  };

  private openFile(path: string): HostFile {
    const content = (): Uint8Array => this.files.get(path) ?? new Uint8Array();
    return {
      read: (offset, into) => {
        const piece = content().subarray(offset, offset + into.length);
        into.set(piece);
        return piece.length;
      },
      write: (offset, bytes) => {
        if (path === '/bin/prog') return rejected(EBADF);
        const grown = Buffer.alloc(Math.max(content().length, offset + bytes.length));
        grown.set(content());
        grown.set(bytes, offset);
        this.files.set(path, grown);
        return bytes.length;
      },
      stat: () => ({
        dev: 1, ino: 2, mode: 0o100644, nlink: 1, uid: 0, gid: 0, rdev: 0, size: content().length, blksize: 4096, blocks: 8,
        atime: 1, mtime: 2, ctime: 3,
      }), // biome-ignore format: a table
      close: () => void this.calls.push(`close ${path}`),
    };
  }

  readonly launcher: Launcher = {
    run: (program, args) => {
      if (program === '/missing') return rejected(ENOENT, 'no such program');
      this.calls.push(`run ${program ?? '(last)'} [${args.join(' ')}]`);
      this.alive = [{ pid: PID, attached: false }];
      this.list = [{ ...MAIN, name: 'prog', core: 0 }];
      return { kind: 'signal', thread: MAIN, signal: 5 };
    },
    restart: () => this.launcher.run(undefined, []),
    attach: (pid) => {
      if (pid !== 0x77) return rejected(3, 'no such process');
      return { kind: 'signal', thread: this.addProcess(0x77), signal: 19 };
    },
    setEnvironment: (name, value) => void this.calls.push(`env ${name}=${value}`),
    unsetEnvironment: (name) => void this.calls.push(`unset ${name}`),
    resetEnvironment: () => void this.calls.push('reset env'),
    setWorkingDirectory: (path) => void this.calls.push(`cwd ${path ?? '(own)'}`),
    setStartWithShell: (on) => void this.calls.push(`shell ${on}`),
    setRandomization: (on) => void this.calls.push(`randomize ${on}`),
  };

  readonly events = {
    kinds: new Set<EventKind>(['fork', 'vfork', 'exec', 'threads', 'no-resumed']),
    report: (kinds: ReadonlySet<EventKind>): void => void this.calls.push(`events ${[...kinds].join(' ')}`),
  };

  readonly syscalls = {
    catch: (pid: Pid, numbers: ReadonlySet<number> | 'all'): void =>
      void this.calls.push(`catch ${pid.toString(16)} ${numbers === 'all' ? 'all' : [...numbers].join(' ')}`),
  };

  readonly nonStop: NonStop = {
    set: (on) => {
      this.calls.push(`non-stop ${on}`);
      return undefined;
    },
    stops: () => this.stopsOfThreads,
  };

  readonly threadLocal: ThreadLocalStorage = {
    address: (id, offset, linkMap) => {
      if (linkMap !== 0x7000n) return rejected(22);
      return { address: BigInt(id.tid) * 0x1000n + offset };
    },
  };

  readonly osData: OsData = {
    tables: [{ name: 'processes', title: 'Processes', description: 'Listing of all processes' }],
    read: (name) => {
      if (name !== 'processes') return undefined;
      return { columns: ['pid', 'command'], rows: [['1', 'a & b'], ['2', 'c']] }; // biome-ignore format: a table
    },
  };
}

/** A target that can do only what every target must; `calls` and `memory` are the fake's. */
export function bareTarget(): FakeTarget {
  const full = new FakeTarget();
  const required = [
    'processes', 'threads', 'thread', 'registers', 'readRegister', 'writeRegister', 'readMemory', 'writeMemory', 'auxv', 'executable', 'kill',
    'detach',
  ] as const; // biome-ignore format: a list
  const bare: Record<string, unknown> = { calls: full.calls, memory: full.memory };
  for (const name of required) bare[name] = (full[name] as (...args: unknown[]) => unknown).bind(full);
  return bare as unknown as FakeTarget;
}
