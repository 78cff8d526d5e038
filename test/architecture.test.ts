/** The import table of docs/design.md, enforced: who may import whom, which files may touch the host, and no cycles. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

interface Import {
  readonly target: string;
  /** `import type` vanishes when compiled: it may close a circle, but not cross a border. */
  readonly typeOnly: boolean;
}

/** Every source file, relative to src, with what it imports: files relative to src, packages by name. */
const files: ReadonlyMap<string, readonly Import[]> = new Map(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, importsOf(path)]),
);

function importsOf(path: string): Import[] {
  const text = readFileSync(join(SRC, path), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gms);
  const dynamic = text.matchAll(/\b(?:import|require)\(\s*'([^']+)'\s*\)/g);
  return [
    ...[...statements].map(([, type, target]) => ({
      target: resolve(path, target as string),
      typeOnly: type !== undefined,
    })),
    ...[...dynamic].map(([, target]) => ({ target: resolve(path, target as string), typeOnly: false })),
  ];
}

function resolve(from: string, target: string): string {
  if (!target.startsWith('.')) return target;
  return relative('.', normalize(join(dirname(from), target))).replace(/\.js$/, '.ts');
}

/** `process` alone is the guest's in many files: only what Node's has. */
const HOST_FACTS =
  /\bDate\.now|\bnew Date\b|\bMath\.random|\bperformance\.|\bprocess\.(env|hrtime|stdout|stderr|stdin|argv|memoryUsage)\b|\bprocess\.(cwd|exit|kill)\(|\bset(Timeout|Immediate|Interval)\(/;

const LEAVES = ['iced-x86.ts', 'wasm-engine.ts', 'types.ts', 'log.ts', 'register-set.ts', 'agent-expression/'];

/** Files under `folder` import nothing of src but these places (themselves included). */
const BORDERS: readonly { folder: string; may: readonly string[] }[] = [
  { folder: 'types.ts', may: [] },
  { folder: 'register-set.ts', may: ['types.ts'] },
  { folder: 'log.ts', may: ['types.ts'] },
  { folder: 'agent-expression/', may: ['types.ts', 'agent-expression/'] },
  { folder: 'elf/', may: ['elf/', ...LEAVES] },
  { folder: 'rsp/', may: ['rsp/', ...LEAVES] },
  { folder: 'uprobes/', may: ['uprobes/', ...LEAVES] },
  { folder: 'emulator/', may: ['emulator/', ...LEAVES] },
];

/** Files under `folder` never import these places. */
const WALLS: readonly { folder: string; never: readonly string[] }[] = [
  { folder: 'emulator/x86/', never: ['emulator/jit/', 'emulator/interp/', 'emulator/kernel/'] },
  { folder: 'emulator/ir/', never: ['emulator/x86/', 'emulator/kernel/', 'emulator/interp/', 'emulator/jit/'] },
  { folder: 'emulator/interp/', never: ['emulator/kernel/', 'emulator/x86/', 'emulator/process.ts'] },
  { folder: 'emulator/jit/', never: ['emulator/kernel/', 'emulator/x86/', 'emulator/process.ts'] },
  {
    folder: 'emulator/kernel/',
    never: ['emulator/jit/', 'emulator/interp/', 'emulator/ir/', 'emulator/x86/'],
  },
  { folder: 'emulator/loader/', never: ['emulator/jit/', 'emulator/interp/', 'emulator/ir/', 'emulator/x86/'] },
];

function under(path: string, place: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place;
}

function offences(allowed: (file: string, target: string) => boolean): string[] {
  return [...files].flatMap(([file, imports]) =>
    imports.filter(({ target }) => !allowed(file, target)).map(({ target }) => `${file} imports ${target}`),
  );
}

test.each(BORDERS)('$folder imports only what it may', ({ folder, may }) => {
  const bad = offences((file, target) => {
    return !under(file, folder) || !target.endsWith('.ts') || may.some((place) => under(target, place));
  });
  expect(bad).toEqual([]);
});

test.each(WALLS)('$folder keeps away from what is above it', ({ folder, never }) => {
  const bad = offences((file, target) => !under(file, folder) || !never.some((place) => under(target, place)));
  expect(bad).toEqual([]);
});

test('only the gateway touches the host, only log.ts knows pino', () => {
  const bad = offences((file, target) => {
    if (target === 'pino') return file === 'log.ts';
    if (!target.startsWith('node:')) return true;
    return !(file.startsWith('emulator/') || file.startsWith('uprobes/')) || file.startsWith('emulator/host/');
  });
  expect(bad).toEqual([]);
});

test('in the emulator nothing but the gateway reads clocks, chance or the process', () => {
  const bad = [...files.keys()]
    .filter((file) => /^(emulator|uprobes)\//.test(file) && !file.startsWith('emulator/host/'))
    .filter((file) => {
      const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return HOST_FACTS.test(code);
    });
  expect(bad).toEqual([]);
});

test('no file imports itself by a detour', () => {
  const done = new Set<string>();
  const path: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) cycles.push([...path.slice(at), file].join(' > '));
    if (at >= 0 || done.has(file)) return;
    path.push(file);
    for (const { target, typeOnly } of files.get(file) ?? []) if (!typeOnly) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of files.keys()) visit(file);
  expect(cycles).toEqual([]);
});

test('a statement that this test would not understand is not used', () => {
  const odd = [...files.keys()].filter((file) => /^import\s*'|^export \*/m.test(readFileSync(join(SRC, file), 'utf8')));
  expect(odd).toEqual([]);
});
