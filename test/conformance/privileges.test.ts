/** Pid namespaces and set-user-id programs as root sees them natively. */
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { runEmulated, runNatively } from './run.js';

const STATIC = ['-O1', '-static', '-no-pie', '-fno-pie'];
const NAMESPACES = buildGuest({ source: 'namespaces.c', flags: STATIC });
const RIGHTS = buildGuest({ source: 'rights.c', flags: STATIC });
/** Of namespaces.c: this machine does not let even root make one. */
const FORBIDDEN = 77;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'privileges-'));
  chmodSync(folder, 0o755);
  for (const [name, mode] of [
    ['plain', 0o755],
    ['user', 0o4755],
    ['both', 0o6755],
    ['group', 0o2755],
    ['locking', 0o2745],
  ] as const) {
    copyFileSync(RIGHTS, join(folder, name));
    chmodSync(join(folder, name), mode);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.runIf(process.getuid?.() === 0)('as root', () => {
  test('processes in a nested pid namespace see what they see natively', () => {
    const native = runNatively({ argv: [NAMESPACES] });
    const emulated = runEmulated({ argv: [NAMESPACES] }, []);
    expect(emulated.status).toBe(0);
    if (native.status !== FORBIDDEN) expect(emulated.stdout).toBe(native.stdout);
  });

  test.each(['plain', 'user', 'group', 'both', 'locking'])('a user executes a program of root (%s)', (name) => {
    const argv = [join(folder, 'plain'), 'become', '1234', join(folder, name)];
    const native = runNatively({ argv });
    const { stdout, status } = runEmulated({ argv }, []);
    expect({ stdout, status }).toEqual(native);
  });

  test('under PR_SET_NO_NEW_PRIVS it gets nothing', () => {
    const argv = [join(folder, 'plain'), 'become', '1234', join(folder, 'plain'), 'bound', join(folder, 'both')];
    const native = runNatively({ argv });
    const { stdout, status } = runEmulated({ argv }, []);
    expect({ stdout, status }).toEqual(native);
  });
});
