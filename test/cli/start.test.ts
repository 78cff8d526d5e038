/** The installed command with and without the files that make its next start faster: nothing but time may depend on them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sidestep-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a small program prints, and how many instructions it retires. */
function run(environment: NodeJS.ProcessEnv): string {
  const command = `'${process.execPath}' '${CLI}' run --epoch 0 --stats -- /bin/echo done 2>&1 | grep -e done -e ' retired$'`;
  return execFileSync('/bin/sh', ['-c', command], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    encoding: 'utf8',
  });
}

test('runs the same without a cache, with a fresh one, a filled one and a damaged one', () => {
  const place = join(folder, 'own');
  // As long as `off`: the environment is on the program's stack, and what it does with it takes instructions.
  const cached = { SIDESTEP_CACHE: 'own' };
  const without = run({ SIDESTEP_CACHE: 'off' });
  expect(run(cached)).toBe(without);
  const files = readdirSync(place);
  expect(files.length).toBeGreaterThan(0);
  expect(run(cached)).toBe(without);
  for (const file of files) truncateSync(join(place, file), 1000);
  expect(run(cached)).toBe(without);
  for (const file of files) writeFileSync(join(place, file), 'nothing that it knows');
  expect(run(cached)).toBe(without);
});

test('keeps its files where XDG says, and makes no home', () => {
  expect(run({ XDG_CACHE_HOME: folder })).toContain('done');
  expect(readdirSync(join(folder, 'sidestep')).length).toBeGreaterThan(0);
  const home = join(folder, 'nobody');
  expect(run({ HOME: home })).toContain('done');
  expect(readdirSync(folder)).not.toContain('nobody');
});
