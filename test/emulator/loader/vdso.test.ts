/** The vDSO is a shared object like any other: binutils and the dynamic linker can read it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vdsoImage } from '../../../src/emulator/loader/vdso.js';

test('readelf finds nothing to complain about, the name, a build id, and no symbols', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sidestep-test-'));
  const path = join(folder, 'vdso.so');
  writeFileSync(path, vdsoImage());
  const { stdout, stderr } = spawnSync('readelf', ['-W', '-a', path], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(stderr).toBe('');
  expect(stdout).toContain('Library soname: [linux-vdso.so.1]');
  expect(stdout).toMatch(/\[ 5\] \.text +PROGBITS +0*1[0-9a-f]{2} /);
  expect(stdout).toMatch(/Flags: BASE +Index: 1 +Cnt: 1 +Name: linux-vdso.so.1/);
  expect(stdout).toMatch(/Flags: none +Index: 2 +Cnt: 1 +Name: LINUX_2.6/);
  expect(stdout).toContain('Build ID: 73696465');
  expect(stdout).toContain("Symbol table '.dynsym' contains 1 entry");
});
