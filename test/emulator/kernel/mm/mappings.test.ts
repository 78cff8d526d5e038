/** Random system calls about memory, made here and by the host's kernel: results, mappings and bytes must be the same. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { PROT, VMA } from '../../../../src/emulator/memory/vma.js';
import { buildGuest } from '../../../guests/build.js';
import { type MmFixture, mmFixture, PAGE } from './fixture.js';

const WINDOW = 0x7000_0000_0000;
const WINDOW_PAGES = 64;
/** Where things happen: few pages, so that they meet. */
const PAGES = 12;
const FILE_BYTES = 14_000;
const FD = 5;

const folder = mkdtempSync(join(tmpdir(), 'mappings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const page = fc.nat(PAGES - 1).map((index) => `b+${index * PAGE}`);
const pages = fc.integer({ min: 1, max: 6 }).map((count) => count * PAGE);
/** Lengths that are no whole pages, nothing, or far too long. Not so long that the kernel takes them for the program that asks it. */
const length = fc.oneof(
  { weight: 8, arbitrary: pages },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 5000, -1, -4096) },
);
const place = fc.oneof({ weight: 8, arbitrary: page }, { weight: 1, arbitrary: fc.constantFrom('b+100', 'b+4097') });
const prot = fc.constantFrom(0, 1, 3, 3, 5, 7, 2);
const FIXED = 0x10;
const mapFlags = fc.constantFrom(2, 2, 1, 0x4002, 3, 0, 0x10_0002).map((flags) => flags | FIXED);

/** What mprotect takes, and what nobody has allocated: key 0 is there only where the processor has protection keys. */
const key = fc.constantFrom(-1, 20);

/** Linux 6.17 and later move several mappings at once, of equal length: such moves are of one page here. */
const call = (nr: number, ...args: fc.Arbitrary<string | number>[]) =>
  fc.tuple(...args).map((list) => `c ${nr} ${list.join(' ')}`);
const constant = (value: string | number) => fc.constant(value);
const step = fc.oneof(
  { weight: 4, arbitrary: call(9, place, length, prot, mapFlags.map((flags) => flags | 0x20), constant(-1), constant(0)) },
  { weight: 4, arbitrary: call(9, page, pages, prot, mapFlags, constant('f'), fc.constantFrom(0, PAGE, 2 * PAGE, 5 * PAGE, 10)) },
  { weight: 3, arbitrary: call(11, place, length) },
  { weight: 4, arbitrary: call(10, place, length, fc.oneof(prot, fc.constantFrom(8, 16, 0x100_0001))) },
  { weight: 2, arbitrary: call(25, place, length, length, fc.constantFrom(0, 0, 0, 2, 8), place) },
  { weight: 2, arbitrary: fc.tuple(place, pages, pages, place).filter(([, from, to]) => from !== to).map(([from, old, wanted, to]) => `c 25 ${from} ${old} ${wanted} 3 ${to}`) },
  { weight: 1, arbitrary: call(25, page, constant(PAGE), constant(PAGE), fc.constantFrom(3, 7), page) },
  { weight: 3, arbitrary: call(28, place, length, fc.constantFrom(0, 3, 4, 9, 10, 11, 14, 16, 18, 19, 22, 23, 24, 99)) },
  { weight: 1, arbitrary: call(26, place, length, fc.constantFrom(4, 1, 0, 5, 2, 8)) },
  { weight: 1, arbitrary: call(149, page, length) },
  { weight: 1, arbitrary: call(150, page, length) },
  { weight: 1, arbitrary: call(329, page, pages, constant(1), key) },
  { weight: 6, arbitrary: fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 100 })).map(([at, value]) => `w ${at * PAGE + 7} ${value}`) },
  { weight: 4, arbitrary: fc.nat(PAGES - 1).map((at) => `r ${at * PAGE + 7}`) },
); // biome-ignore format: a table

const look = ['m', ...Array.from({ length: 20 }, (_, at) => `r ${at * PAGE + 7}`), 'd'];
const sequence = fc.array(step, { minLength: 1, maxLength: 25 }).map((steps) => ['n', ...steps, ...look]);

/** The emulator's side of test/guests/mappings.c. */
class Twin {
  private guest: MmFixture = mmFixture();

  private argument(text: string): number {
    if (text === 'f') return FD;
    return text.startsWith('b+') ? WINDOW + Number(text.slice(2)) : Number(text);
  }

  answer(line: string): string | undefined {
    const [command, ...words] = line.split(' ') as [string, ...string[]];
    const args = words.map((word) => this.argument(word));
    const { space } = this.guest;
    const [at, value] = [WINDOW + (args[0] as number), args[1] as number];
    switch (command) {
      case 'c':
        return this.result(this.guest.call(...(args as [number, ...number[]])));
      case 'w':
        return String(space.write(at, Uint8Array.of(value)) === 1 ? 1 : -14);
      case 'r':
        return String(space.readBytes(at, 1)?.[0] ?? -14);
      case 'n':
        this.reset();
        return undefined;
      case 'm':
        return this.maps();
      default:
        return this.sum();
    }
  }

  private reset(): void {
    this.guest.space.destroy();
    this.guest = mmFixture();
    this.guest.addFile(
      FD,
      Uint8Array.from({ length: FILE_BYTES }, (_, i) => 1 + Math.floor(i / PAGE)),
    );
    // Both sides of the window are taken, as in the program.
    const length = WINDOW_PAGES * PAGE;
    for (const at of [WINDOW - length, WINDOW + length]) this.guest.space.mappings.map({ at, length, prot: PROT.NONE });
  }

  private result(value: number): string {
    const offset = value - WINDOW;
    return Math.abs(offset) < 2 * WINDOW_PAGES * PAGE ? `b+${offset}` : String(value);
  }

  private maps(): string {
    const bit = (set: number, letter: string): string => (set ? letter : '-');
    const index = (at: number): number => Math.min(WINDOW_PAGES, Math.max(0, (at - WINDOW) / PAGE));
    return this.guest.space.vmas
      .meeting(WINDOW, WINDOW + WINDOW_PAGES * PAGE)
      .map(({ start, end, prot, flags, pages, offset }) => {
        const bits = bit(prot & 1, 'r') + bit(prot & 2, 'w') + bit(prot & 4, 'x') + (flags & VMA.SHARED ? 's' : 'p');
        return `${index(start)}-${index(end)} ${bits} ${pages === undefined ? 0 : offset / PAGE};`;
      })
      .join('');
  }

  private sum(): string {
    const bytes = this.guest.readFile(FD);
    return `${bytes.length} ${bytes.reduce((total, byte) => (Math.imul(total, 31) + byte) >>> 0, 0)}`;
  }
}

/** The order in which mremap looks for mistakes differs among kernels: which of several it names is left open. */
function comparable(line: string, answer: string): string {
  if (line === 'm') return joined(answer);
  return line.startsWith('c 25 ') && answer.startsWith('-') ? 'refused' : answer;
}

/** Linux keeps neighbours apart that have had copies of pages made at different times: joins what looks alike. */
function joined(maps: string): string {
  const lines = [...maps.matchAll(/(\d+)-(\d+) (\S+) (\d+);/g)].map(([, start, end, prot, offset]) => {
    return { start: Number(start), end: Number(end), prot, offset: Number(offset) };
  });
  const kept: typeof lines = [];
  for (const line of lines) {
    const last = kept.at(-1);
    const follows = last !== undefined && last.end === line.start && last.prot === line.prot;
    const isSame =
      follows && (line.offset === last.offset + line.start - last.start || (line.offset === 0 && last.offset === 0));
    if (isSame) last.end = line.end;
    else kept.push(line);
  }
  return kept.map(({ start, end, prot, offset }) => `${start}-${end} ${prot} ${offset};`).join('');
}

test('mappings behave as the kernel has them', () => {
  const program = buildGuest({ source: 'mappings.c' });
  const sequences = fc.sample(sequence, { numRuns: 500, seed: 7 });
  const lines = sequences.flat();
  const input = `${lines.join('\n')}\n`;
  const output = execFileSync(program, [join(folder, 'file')], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  const native = output.split('\n');
  let next = 0;
  const twin = new Twin();
  for (const steps of sequences) {
    const said: string[] = [];
    const expected: string[] = [];
    for (const line of steps) {
      const mine = twin.answer(line);
      if (mine === undefined) continue;
      const theirs = native[next++] as string;
      said.push(`${line}: ${comparable(line, mine)}`);
      expected.push(`${line}: ${comparable(line, theirs)}`);
    }
    expect(said).toEqual(expected);
  }
});
