import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { PROT } from '../../../src/emulator/memory/vma.js';
import { buildGuest, LINKAGES, NOSTDLIB } from '../../guests/build.js';
import { type Loaded, load, loaded, open } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'loader-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => open.clear());

const ENVIRON = ['A=b', 'LONGER=a value', 'EMPTY='];
const TOP = 0x7fff_ffff_f000;

/** What the kernel made of the same program before its first instruction, seen by gdb with randomisation off. */
function native(program: string, args: readonly string[]) {
  const dump = join(folder, 'stack.bin');
  const output = execFileSync(
    'gdb',
    [
      ...['-nx', '-batch', '-ex', `set exec-wrapper env -i ${ENVIRON.map((entry) => `'${entry}'`).join(' ')}`],
      ...['-ex', `starti ${args.join(' ')}`, '-ex', 'info proc mappings', '-ex', 'printf "at %#lx %#lx\\n", $rip, $sp'],
      ...['-ex', `dump binary memory ${dump} $sp 0x7ffffffff000`, program],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [, entry, sp] = /^at (0x\w+) (0x\w+)/m.exec(output) ?? [];
  const mappings = [...output.matchAll(/^\s*(0x\w+)\s+(0x\w+)\s+0x\w+\s+(0x\w+)\s+([-r][-w][-x]p)[^\S\n]*(\S*)/gm)]
    .map(([, start, end, offset, prot, name]) => `${start}-${end} ${offset} ${prot} ${name}`)
    .filter(isOfProgram);
  return { entry: Number(entry), mappings, stack: parseStack(new Uint8Array(readFileSync(dump)), Number(sp)) };
}

/** The vDSO and its data differ in size from one Linux to the next. */
function isOfProgram(line: string): boolean {
  return !/\[(vvar|vdso|vsyscall)/.test(line);
}

function mappingsOf({ space }: Loaded): string[] {
  return space.vmas.all().map(({ start, end, prot, pages, offset, name }) => {
    const bits = `${prot & PROT.READ ? 'r' : '-'}${prot & PROT.WRITE ? 'w' : '-'}${prot & PROT.EXEC ? 'x' : '-'}p`;
    return `0x${start.toString(16)}-0x${end.toString(16)} 0x${offset.toString(16)} ${bits} ${pages?.file?.path ?? name}`;
  });
}

/** Pointers and strings of a first stack, and the auxiliary vector with the strings that it points to. */
function parseStack(bytes: Uint8Array, sp: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const word = (): number => {
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  };
  const text = (address: number): string => {
    const from = address - sp;
    return `${address.toString(16)} ${new TextDecoder().decode(bytes.subarray(from, bytes.indexOf(0, from)))}`;
  };
  const argc = word();
  const strings: string[][] = [[], []];
  for (const list of strings) for (let address = word(); address !== 0; address = word()) list.push(text(address));
  const auxv = new Map<number, string>();
  for (let type = word(); type !== 0; type = word()) {
    const value = word();
    auxv.set(type, type === 31 || type === 15 ? text(value) : value.toString(16));
  }
  return { argc, argv: strings[0], environ: strings[1], auxv, end: at + sp, misalignment: sp % 16 };
}

function stackOf({ space, stack }: Loaded) {
  const bytes = new Uint8Array(TOP - stack);
  expect(space.read(stack, bytes)).toBe(bytes.length);
  return parseStack(bytes, stack);
}

/** Kernels before 6.3 do not tell the size of struct rseq. */
const OMITTED = [27, 28];
/** Entries that tell of the vDSO's place, the processor and the user. */
const OTHER = [33, 16, 26, 51, 11, 12, 13, 14];

describe.each(LINKAGES)('a $name program', ({ flags }) => {
  test('is mapped, and has its stack, where Linux puts them', () => {
    const program = buildGuest({ source: 'self.c', flags });
    const truth = native(program, ['one', 'two']);
    const mine = loaded({ path: program, argv: [program, 'one', 'two'], environ: ENVIRON });
    expect(mappingsOf(mine).filter(isOfProgram)).toEqual(truth.mappings);
    expect(mine.entry).toBe(truth.entry);
    const [stack, expected] = [stackOf(mine), truth.stack];
    expect(stack.argc).toBe(3);
    expect(stack.argv).toEqual(expected.argv);
    expect(stack.environ.map((line) => line.replace(/^\w+ /, ''))).toEqual(ENVIRON);
    expect(stack.environ).toEqual(expected.environ);
    for (const type of OMITTED) expected.auxv.delete(type);
    const common = [...stack.auxv.keys()].filter((type) => !OMITTED.includes(type));
    expect(common).toEqual([...expected.auxv.keys()]);
    for (const type of OTHER) expected.auxv.delete(type);
    for (const [type, value] of expected.auxv) expect(`${type} ${stack.auxv.get(type)}`).toBe(`${type} ${value}`);
    expect(stack.misalignment).toBe(0);
    expect(mine.image.auxv.length).toBe(stack.auxv.size + 1);
    mine.space.destroy();
    expect([...open].map(({ path }) => path)).toEqual([]);
  });
});

test('bytes of segments are those of the file, and zero behind them', () => {
  const program = buildGuest({ source: 'bare-loops.c', flags: NOSTDLIB });
  const { space, entry } = loaded({ path: program, argv: [program] });
  const file = readFileSync(program);
  for (const { start, end, pages, offset } of space.vmas.all()) {
    if (pages === undefined) continue;
    const bytes = new Uint8Array(Math.min(end - start, file.length - offset));
    space.peek(start, bytes);
    if (start <= entry && entry < end) expect(Buffer.from(bytes)).toEqual(file.subarray(offset, offset + bytes.length));
  }
});

test('the heap begins behind the program, or where nothing is in its way', () => {
  const heap = (flags: readonly string[]): number => {
    const program = buildGuest({ source: 'self.c', flags });
    return loaded({ path: program, argv: ['x'] }).space.marks.brk;
  };
  const [fixed, staticPie, dynamic, pie] = LINKAGES.map(({ flags }) => heap(flags)) as [number, number, number, number];
  expect(staticPie).toBe(0x5555_5555_5000);
  expect(pie).toBeGreaterThan(0x5555_5555_4000);
  expect(pie).toBeLessThan(0x5555_5560_0000);
  expect(fixed).toBeLessThan(0x60_0000);
  expect(dynamic).toBeLessThan(0x60_0000);
});

test('a small stack limit bounds what is mapped, and moves nothing else', () => {
  const { space } = loaded({ path: '/bin/true', argv: ['true'], stackLimit: 0x1_0000 });
  const stack = space.vmas.find(TOP - 1);
  expect(TOP - (stack?.start ?? 0)).toBe(0x1_0000);
  expect(space.placement.mmapBase).toBe(0x7fff_f7ff_f000);
});

test('randomised layouts differ with the seed, keep their order, and are equal for one seed', () => {
  const layout = (seed: number) => {
    const { space, stack, entry } = loaded({ path: '/bin/true', argv: ['true'], config: { randomise: true, seed } });
    const base = space.vmas.all()[0].start;
    expect(base % 4096).toBe(0);
    expect(base).toBeLessThan(space.marks.brk);
    expect(space.marks.brk).toBeLessThan(entry);
    expect(entry).toBeLessThan(space.placement.mmapBase);
    expect(space.placement.mmapBase).toBeLessThan(stack);
    return [base, space.marks.brk, entry, stack, stack % 16];
  };
  const [one, two] = [layout(1), layout(2)];
  expect(layout(1)).toEqual(one);
  for (let i = 0; i < 4; i++) expect(one[i]).not.toBe(two[i]);
  expect([one[4], two[4]]).toEqual([0, 0]);
});

describe('scripts', () => {
  const script = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  };
  const argvOf = (path: string, ...args: string[]) => {
    const program = load({ path, argv: ['zero', ...args] });
    if ('errno' in program) return program.errno;
    return program.image.argv.map((bytes) => new TextDecoder().decode(bytes));
  };

  test.each([
    { name: 'plain', line: '#!/bin/true', argv: ['/bin/true', '$', 'a', 'b'] },
    { name: 'blanks', line: '#! \t/bin/true \t', argv: ['/bin/true', '$', 'a', 'b'] },
    {
      name: 'one argument, whatever is in it',
      line: '#!/bin/true -x  y ',
      argv: ['/bin/true', '-x  y', '$', 'a', 'b'],
    },
    { name: 'no name', line: '#!  ', argv: 8 },
    { name: 'an interpreter that is not there', line: '#!/no/such', argv: 2 },
    { name: 'a directory', line: '#!/tmp', argv: 13 },
    { name: 'a name that is cut off', line: `#!/${'x'.repeat(300)}`, argv: 8 },
    {
      name: 'an argument that is cut off',
      line: `#!/bin/true ${'x'.repeat(300)}`,
      argv: ['/bin/true', 'x'.repeat(243), '$', 'a', 'b'],
    },
  ])('$name', ({ line, argv }) => {
    const path = script('script', `${line}\nmore\n`);
    const expected = typeof argv === 'number' ? argv : argv.map((part) => (part === '$' ? path : part));
    expect(argvOf(path, 'a', 'b')).toEqual(expected);
  });

  test('what execve of the host answers to the same files', () => {
    const lines = ['#!/bin/echo', '#!/bin/echo -x y ', '#! /bin/echo\t', `#!/bin/echo ${'x'.repeat(300)}`];
    for (const line of lines) {
      const path = script('twin', `${line}\n`);
      const output = execFileSync(path, ['a'], { encoding: 'utf8' });
      const mine = argvOf(path, 'a');
      expect(typeof mine === 'number' ? mine : `${mine.slice(1).join(' ')}\n`).toBe(output);
    }
  });

  test('scripts run scripts, to a depth', () => {
    let path = script('s0', '#!/bin/true\n');
    for (let depth = 1; depth < 5; depth++) path = script(`s${depth}`, `#!${path}\n`);
    expect(argvOf(path)).toEqual(['/bin/true', ...[0, 1, 2, 3, 4].map((depth) => join(folder, `s${depth}`))]);
    expect(argvOf(script('s5', `#!${path}\n`))).toBe(40);
  });

  test('the name of the process is the script, its executable the interpreter', () => {
    const path = script('a-rather-long-name.sh', '#!/bin/true\n');
    const { comm, image } = loaded({ path, argv: [path] });
    expect(comm).toBe('a-rather-long-n');
    expect(image.exe).toMatch(/bin\/true$/);
  });
});

describe('files that cannot be run', () => {
  const source = readFileSync('/bin/true');
  const file = (change: (bytes: Buffer) => Buffer): string => {
    const path = join(folder, 'broken');
    writeFileSync(path, change(Buffer.from(source)));
    chmodSync(path, 0o755);
    return path;
  };
  const put = (at: number, text: string) => (bytes: Buffer) => {
    bytes.write(text, at);
    return bytes;
  };
  const put16 = (at: number, value: number) => (bytes: Buffer) => {
    bytes.writeUInt16LE(value, at);
    return bytes;
  };

  test.each([
    { name: 'empty', change: () => Buffer.alloc(0), errno: 8, message: /is empty/ },
    { name: 'text', change: () => Buffer.from('hello, world\n'.repeat(20)), errno: 8, message: /neither/ },
    {
      name: 'a header cut off',
      change: (bytes: Buffer) => bytes.subarray(0, 40),
      errno: 8,
      message: /header is truncated/,
    },
    {
      name: 'program headers cut off',
      change: (bytes: Buffer) => bytes.subarray(0, 100),
      errno: 8,
      message: /truncated/,
    },
    {
      name: 'segments cut off',
      change: (bytes: Buffer) => bytes.subarray(0, 10_000),
      errno: 8,
      message: /truncated: the segment at 0x\w+ ends/,
    },
    { name: 'for 32-bit x86', change: put16(18, 3), errno: 8, message: /32-bit x86/ },
    { name: 'for 64-bit ARM', change: put16(18, 183), errno: 8, message: /64-bit ARM/ },
    { name: 'a core file', change: put16(16, 4), errno: 8, message: /neither a program/ },
    { name: 'no program headers', change: put16(56, 0), errno: 8, message: /0 program headers/ },
  ])('$name', ({ change, errno, message }) => {
    const path = file(change);
    const failure = load({ path, argv: [path] });
    expect(failure).toMatchObject({ errno });
    expect('errno' in failure && failure.message).toMatch(message);
    expect(open.size).toBe(0);
  });

  test('what the file layer refuses keeps its errno', () => {
    expect(load({ path: '/no/such/file', argv: ['x'] })).toEqual({ errno: 2 });
    expect(load({ path: '/tmp', argv: ['x'] })).toEqual({ errno: 13 });
  });

  test('a dynamic linker that is missing or damaged is named', () => {
    const name = source.indexOf('/lib64/ld-linux');
    const missing = file(put(name, '/lib65'));
    expect(load({ path: missing, argv: ['x'] })).toMatchObject({
      errno: 2,
      message: expect.stringContaining('/lib65/ld-linux'),
    });
    const script = join(folder, 'x');
    writeFileSync(script, 'no linker');
    chmodSync(script, 0o755);
    const strange = file(put(name, `${script}\0`));
    expect(load({ path: strange, argv: ['x'] })).toMatchObject({ errno: 80 });
    expect(open.size).toBe(0);
  });

  test('arguments that the stack cannot hold', () => {
    expect(load({ path: '/bin/true', argv: ['x', 'y'.repeat(0x10_0000)], stackLimit: 0x10_0000 })).toEqual({
      errno: 7,
    });
    expect(open.size).toBe(0);
  });
});
