/** The inherited terminal over a host that plays one. */
import { expect, test } from 'vitest';
import type { Host, HostStreams, WindowSize } from '../../../../src/emulator/host/host.js';
import { NO_HOST } from '../../../../src/emulator/host/no-host.js';
import { filesOf } from '../../../../src/emulator/kernel/file/file-table.js';
import { inheritedFiles } from '../../../../src/emulator/kernel/file/inherited.js';
import { POLL } from '../../../../src/emulator/kernel/file/open-file.js';
import { giveHostTerminal } from '../../../../src/emulator/kernel/tty/host-terminal.js';
import { NR, OUT, pollfds, text } from '../file/play.js';
import { type Scripted, type Step, scripted, sys } from '../scripted.js';

const [TCGETS, TCSETS, TIOCGWINSZ, TIOCGPGRP] = [0x5401, 0x5402, 0x5413, 0x540f];
const ATTRIBUTES = 0x1_2000;
const LOCAL = 12;

class PlayedTerminal implements HostStreams {
  readonly input: (Uint8Array | 'end')[] = [];
  readonly raw: boolean[] = [];
  output = '';
  reads = 0;
  size: WindowSize = { rows: 24, columns: 80 };

  kind(): 'terminal' {
    return 'terminal';
  }
  stat(): number {
    return -9;
  }
  read(_fd: number, into: Uint8Array): number | 'pending' {
    this.reads++;
    const next = this.input.shift();
    if (next === undefined) return 'pending';
    if (next === 'end') return 0;
    into.set(next);
    return next.length;
  }
  poll(): 'ready' | 'pending' {
    return this.input.length > 0 ? 'ready' : 'pending';
  }
  write(_fd: number, from: Uint8Array): number {
    this.output += Buffer.from(from).toString('latin1');
    return from.length;
  }
  windowSize(): WindowSize {
    return this.size;
  }
  setRaw(_fd: number, raw: boolean): number {
    this.raw.push(raw);
    return 0;
  }
  flags(): number {
    return 2;
  }
  name(): string {
    return '/dev/pts/7';
  }
  position(): undefined {
    return undefined;
  }
  pread(): number {
    return -29;
  }
  pwrite(): number {
    return -29;
  }
  truncate(): number {
    return -22;
  }
}

/** Plays the script; between its steps `outside` may type and look. */
function on(
  terminal: PlayedTerminal,
  script: (g: Scripted, log: (entry: unknown) => void, type: (keys: string) => void) => Generator<Step, void, number>,
): unknown[] {
  const seen: unknown[] = [];
  const host: Host = { ...NO_HOST, streams: terminal };
  const type = (keys: string): void => {
    terminal.input.push(Uint8Array.from(Buffer.from(keys, 'latin1')));
    const key = guest.machine.hostKeys.get('fd 0');
    if (key !== undefined) guest.machine.wake(key);
  };
  const guest: Scripted = scripted(
    function* () {
      yield* script(guest, (entry) => seen.push(entry), type);
      yield sys(NR.exit_group, 0);
    },
    {},
    {},
    host,
  );
  guest.process.files = inheritedFiles(guest.machine);
  giveHostTerminal(guest.machine, guest.process);
  const { machine } = guest;
  while (machine.run(1000).kind !== 'exited');
  return seen;
}

/** Changes the local flags. */
function* local(g: Scripted, change: (flags: number) => number): Generator<Step, void, number> {
  yield sys(NR.ioctl, 0, TCGETS, ATTRIBUTES);
  g.space.writeU32(ATTRIBUTES + LOCAL, change(g.space.readU32(ATTRIBUTES + LOCAL) as number));
  yield sys(NR.ioctl, 0, TCSETS, ATTRIBUTES);
}

test('by lines the host edits and echoes: nothing is read before the guest asks, and the end is the end', () => {
  const terminal = new PlayedTerminal();
  const seen = on(terminal, function* (g, log, type) {
    type('hello\n');
    type('more\n');
    log(terminal.reads);
    log(yield sys(NR.poll, pollfds(g, OUT + 0x100, [0, POLL.IN]), 1, 0));
    log(terminal.reads);
    log(yield sys(NR.read, 0, OUT, 3));
    log(yield sys(NR.read, 0, OUT + 3, 100));
    log(text(g, OUT, 6));
    yield sys(NR.read, 0, OUT, 100);
    terminal.input.push('end');
    log(yield sys(NR.read, 0, OUT, 100));
    log(yield sys(NR.write, 1, g.text(OUT, 'a\nb'), 3));
    log(terminal.output);
    log(yield sys(NR.ioctl, 1, TIOCGPGRP, OUT));
    log(g.space.readU32(OUT) === g.process.pgid);
  });
  expect(seen).toEqual([0, 1, 0, 3, 3, 'hello\n', 0, 3, 'a\nb', 0, true]);
  expect(terminal.raw).toEqual([]);
});

test('without echo the terminal is raw and the line is edited here', () => {
  const terminal = new PlayedTerminal();
  const seen = on(terminal, function* (g, log, type) {
    yield* local(g, (flags) => flags & ~8);
    type('secreT\x7ft\r');
    log(yield sys(NR.read, 0, OUT, 100));
    log(text(g, OUT, 7));
    yield* local(g, (flags) => flags | 8);
    log(terminal.output);
  });
  expect(seen).toEqual([7, 'secret\n', '']);
  expect(terminal.raw).toEqual([true, false]);
});

test('raw: keys come at once, an interrupt character is a signal even when nobody reads', () => {
  const terminal = new PlayedTerminal();
  const seen = on(terminal, function* (g, log, type) {
    yield* local(g, (flags) => flags & ~2);
    type('k');
    log(yield sys(NR.read, 0, OUT, 100));
    log(terminal.output);
    yield sys(
      13,
      2,
      g.action(function* () {
        log('interrupt');
        yield sys(NR.getpid);
      }),
      0,
      8,
    );
    type('\x03');
    yield sys(NR.getpid);
    log(terminal.output);
  });
  expect(seen).toEqual([1, 'k', 'interrupt', 'k^C']);
});

test('a line feed that must not return goes out as a vertical tab', () => {
  const terminal = new PlayedTerminal();
  on(terminal, function* (g) {
    yield sys(NR.ioctl, 0, TCGETS, ATTRIBUTES);
    g.space.writeU32(ATTRIBUTES + 4, 0);
    yield sys(NR.ioctl, 0, TCSETS, ATTRIBUTES);
    yield sys(NR.write, 1, g.text(OUT, 'a\nb\r\n'), 5);
  });
  expect(terminal.output).toBe('a\x0bb\r\x0b');
});

test('a new size of the window is a signal for the foreground', () => {
  const terminal = new PlayedTerminal();
  const seen = on(terminal, function* (g, log, type) {
    yield sys(
      13,
      28,
      g.action(function* () {
        log('resized');
        yield sys(NR.getpid);
      }),
      0,
      8,
    );
    terminal.size = { rows: 50, columns: 132 };
    type('');
    yield sys(NR.ioctl, 1, TIOCGWINSZ, OUT);
    log(g.space.readU32(OUT));
  });
  expect(seen).toEqual(['resized', 50 | (132 << 16)]);
});

test('three descriptors, one terminal', () => {
  const terminal = new PlayedTerminal();
  on(terminal, function* (g) {
    yield sys(NR.getpid);
    const files = filesOf(g.process);
    expect([0, 1, 2].map((fd) => files.get(fd)?.name())).toEqual(Array(3).fill('/dev/console'));
  });
});
