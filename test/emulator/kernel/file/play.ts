/** Scripts around one guest process: what its calls answered, and small tools for its memory. */
import { type Program, runAll, type Scripted, type Step, scripted, sys } from '../scripted.js';

export const NR = {
  read: 0, write: 1, close: 3, poll: 7, rt_sigaction: 13, rt_sigprocmask: 14, ioctl: 16, pipe: 22, select: 23, dup: 32, nanosleep: 35, alarm: 37, getpid: 39, socket: 41,
  connect: 42, accept: 43, sendto: 44, recvfrom: 45, sendmsg: 46, recvmsg: 47, shutdown: 48, bind: 49, listen: 50, getsockname: 51, getpeername: 52,
  socketpair: 53, setsockopt: 54, getsockopt: 55, fork: 57, exit: 60, wait4: 61, kill: 62, fcntl: 72, setpgid: 109, setsid: 112, exit_group: 231,
  epoll_wait: 232, epoll_ctl: 233, pselect6: 270, ppoll: 271, epoll_pwait: 281, timerfd_create: 283, timerfd_settime: 286, timerfd_gettime: 287, accept4: 288,
  signalfd4: 289, eventfd2: 290, epoll_create1: 291, pipe2: 293, inotify_init1: 294, prlimit64: 302, pidfd_open: 434, clone3: 435, pidfd_send_signal: 424, epoll_pwait2: 441,
} as const; // biome-ignore format: a table

/** Where scripts keep their data. */
export const AT = 0x1_1000;
export const OUT = 0x1_8000;
export const NONBLOCK = 0o4000;
export const CLOEXEC = 0o2000000;

export type Log = (entry: unknown) => void;
export type Script = (guest: Scripted, log: Log) => Generator<Step, void, number>;

/** Runs the script as a process that exits at its end; what it logged. */
export function play(script: Script): unknown[] {
  const seen: unknown[] = [];
  const guest: Scripted = scripted(function* () {
    yield* script(guest, (entry) => seen.push(entry));
    yield sys(NR.exit_group, 0);
  });
  runAll(guest.machine);
  return seen;
}

/** The calls one after the other; their results. */
export function results(guest: (guest: Scripted) => readonly Step[]): unknown[] {
  return play(function* (g, log) {
    for (const step of guest(g)) log(yield step);
  });
}

export function bytes(guest: Scripted, at: number, ...values: number[]): number {
  guest.space.writeBytes(at, Uint8Array.from(values));
  return at;
}

export function text({ space }: Scripted, at: number, length: number): string {
  return new TextDecoder('latin1').decode(space.readBytes(at, length));
}

export function i32({ space }: Scripted, at: number): number {
  return (space.readU32(at) ?? Number.NaN) | 0;
}

/** struct pollfd array. */
export function pollfds(
  guest: Scripted,
  at: number,
  ...list: readonly (readonly [fd: number, events: number])[]
): number {
  list.forEach(([fd, events], i) => {
    guest.space.writeU32(at + 8 * i, fd >>> 0);
    guest.space.writeU32(at + 8 * i + 4, events);
  });
  return at;
}

export function revents(guest: Scripted, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (guest.space.readU32(at + 8 * i + 4) as number) >>> 16);
}

/** A child process that runs the program; its pid. */
export function fork(child: Program): Step {
  return { call: NR.fork, child };
}

/** Sleeps some virtual ns. Uses words that processes share. */
export function sleep(guest: Scripted, ns: number): Step {
  return sys(NR.nanosleep, guest.words(0x2_ff00, Math.floor(ns / 1e9), ns % 1e9), 0);
}
