import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ElfFile } from '../../src/elf/elf-file.js';
import { SourceLines } from '../../src/elf/source-lines.js';
import { buildGuest } from '../guests/build.js';

interface Place {
  readonly address: number;
  readonly line: number;
}

/** Where gdb puts a breakpoint for each line of the source. */
function gdbPlaces(program: string, source: string, count: number): Map<number, Place[]> {
  const commands = Array.from({ length: count }, (_, i) => [
    `echo @${i + 1}\\n`,
    `tbreak ${source}:${i + 1}`,
    'info breakpoints',
    'delete',
  ]).flat();
  const args = ['set debuginfod enabled off', 'set pagination off', ...commands].flatMap((command) => ['-ex', command]);
  const text = execFileSync('gdb', ['-nx', '-batch', '-q', ...args, program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const places = new Map<number, Place[]>();
  for (const part of text.split(/^@/m).slice(1)) {
    const rows = part.matchAll(/^\d+(?:\.\d+)?\s+(?:breakpoint\s+del\s+)?y\s+(0x[0-9a-f]+).*:(\d+)$/gm);
    const found = [...rows].map(([, address, line]) => ({ address: Number(address), line: Number(line) }));
    places.set(Number.parseInt(part, 10), found);
  }
  return places;
}

test.each([
  { source: 'shop.c', flags: ['-O0', '-gdwarf-5'] },
  { source: 'processes.c', flags: ['-O2', '-gdwarf-5'] },
  { source: 'processes.c', flags: ['-O2', '-gdwarf-4', '-gz'] },
  { source: 'signals.c', flags: ['-O3', '-gdwarf-4'] },
  { source: 'signals.c', flags: ['-O2', '-gdwarf-3', '-gstrict-dwarf'] },
])('a breakpoint of each line of $source ($flags) is where gdb has it', ({ source, flags }) => {
  const program = buildGuest({ source, flags });
  const elf = ElfFile.read(readFileSync(program));
  if (elf === undefined) throw new Error('no ELF file');
  const lines = new SourceLines(elf);
  const text = readFileSync(fileURLToPath(new URL(`../guests/${source}`, import.meta.url)), 'utf8');
  let compared = 0;
  for (const [line, places] of gdbPlaces(program, source, text.split('\n').length)) {
    const { addresses, neighbours } = lines.find(source, line);
    // gdb goes on to the next line with code, and from a function's first line behind its prologue. That is its kindness to people; probes want the place.
    if (places.some((place) => place.line !== line)) {
      const declared = addresses.map((address) => lines.declaration(address)?.line).filter((one) => one !== undefined);
      expect([line, addresses.length - declared.length]).toEqual([line, 0]);
      if (addresses.length === 0) expect(neighbours.length).toBeGreaterThan(0);
      continue;
    }
    expect([line, ...addresses]).toEqual([line, ...places.map(({ address }) => address).sort((a, b) => a - b)]);
    compared++;
  }
  expect(compared).toBeGreaterThan(15);
});

test('names of sources, whole paths, and addresses back to lines', () => {
  const program = buildGuest({ source: 'shop.c', flags: ['-O1'] });
  const elf = ElfFile.read(readFileSync(program));
  if (elf === undefined) throw new Error('no ELF file');
  const lines = new SourceLines(elf);
  const path = fileURLToPath(new URL('../guests/shop.c', import.meta.url));
  const here = lines.find('shop.c', 28);
  expect(here.addresses).toHaveLength(1);
  expect(here.sources).toEqual([path]);
  for (const name of [path, 'guests/shop.c', './shop.c'])
    expect(lines.find(name, 28).addresses).toEqual(here.addresses);
  expect(lines.find('ests/shop.c', 28).sources).toEqual([]);
  expect(lines.positionOf(here.addresses[0] ?? 0)).toEqual({ path, line: 28 });
});

test('what is cut off or no table is no error', () => {
  const program = readFileSync(buildGuest({ source: 'shop.c', flags: ['-O1'] }));
  const whole = ElfFile.read(program);
  const section = whole?.section('.debug_line');
  if (section === undefined) throw new Error('no line table');
  for (let cut = 0; cut < section.size; cut += 7) {
    const broken = Buffer.from(program);
    broken.fill(0xff, section.offset + cut, section.offset + section.size);
    const elf = ElfFile.read(broken);
    expect(() => elf && new SourceLines(elf).find('shop.c', 28)).not.toThrow();
  }
});
