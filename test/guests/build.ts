/**
 * Builds the C programs that the tests run, on demand, with the machine's gcc.
 *
 * A program lies in a folder named after the hash of everything that went into it, so a test pays for a build once per
 * change of the sources, and workers that build the same program at the same time end with the same files.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GUESTS = fileURLToPath(new URL('.', import.meta.url));
const BUILD = join(GUESTS, 'build');

export interface GuestBuild {
  /** A `.c` or `.S` file, relative to this folder. */
  readonly source: string;
  /** Flags for gcc, compiling and linking in one step. */
  readonly flags?: readonly string[];
  /** A shared library built beside the program, found through an rpath relative to the program. */
  readonly library?: { readonly source: string; readonly flags?: readonly string[] };
}

/** How a program is linked and optimised: the axes that conformance covers. */
export interface Linkage {
  readonly name: string;
  readonly flags: readonly string[];
}

/** Every kind of executable that Linux loads in a different way. */
export const LINKAGES: readonly Linkage[] = [
  { name: 'static', flags: ['-static', '-no-pie', '-fno-pie'] },
  { name: 'static PIE', flags: ['-static-pie', '-fPIE'] },
  { name: 'dynamic', flags: ['-no-pie', '-fno-pie'] },
  { name: 'dynamic PIE', flags: ['-pie', '-fPIE'] },
];

/** What a program without a C library needs: no start files, nothing that calls into one. */
export const NOSTDLIB: readonly string[] = [
  '-nostdlib',
  '-static',
  '-no-pie',
  '-fno-pie',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-O1',
];

/** Path of the executable, built now unless it is there. Throws with gcc's output when the source does not compile. */
export function buildGuest({ source, flags = [], library }: GuestBuild): string {
  const folder = join(BUILD, digest(source, JSON.stringify([flags, library])));
  const program = join(folder, nameOf(source));
  if (existsSync(program)) return program;

  mkdirSync(BUILD, { recursive: true });
  const unfinished = mkdtempSync(join(BUILD, 'unfinished-'));
  const link: string[] = [];
  if (library !== undefined) {
    const shared = join(unfinished, `lib${nameOf(library.source)}.so`);
    gcc(shared, library.source, ['-shared', '-fPIC', ...(library.flags ?? [])]);
    link.push(`-L${unfinished}`, `-l${nameOf(library.source)}`, '-Wl,-rpath,$ORIGIN');
  }
  gcc(join(unfinished, nameOf(source)), source, [...flags, ...link]);
  publish(unfinished, folder);
  return program;
}

function nameOf(source: string): string {
  return basename(source).replace(/\.[cS]$/, '');
}

function gcc(output: string, source: string, flags: readonly string[]): void {
  const args = ['-Wall', '-Wextra', '-g', '-o', output, join(GUESTS, source), ...flags];
  execFileSync('gcc', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Another worker may have built the same program meanwhile: its folder holds the same files, so ours can go. */
function publish(unfinished: string, folder: string): void {
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(unfinished, { recursive: true });
  }
}

let compiler: string | undefined;

/** Covers the compiler and every source of this folder, so headers and libraries need no bookkeeping. */
function digest(source: string, recipe: string): string {
  compiler ??= execFileSync('gcc', ['--version'], { encoding: 'utf8' });
  const hash = createHash('sha256').update(compiler).update(recipe);
  hash.update(source).update(readFileSync(join(GUESTS, source)));
  for (const file of readdirSync(GUESTS).sort()) {
    if (/\.[chS]$/.test(file)) hash.update(file).update(readFileSync(join(GUESTS, file)));
  }
  return hash.digest('hex').slice(0, 16);
}
