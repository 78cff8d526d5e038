import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostFiles } from '../../../src/emulator/host/host.js';
import { NodeHost } from '../../../src/emulator/host/node-host.js';
import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EROFS,
} from '../../../src/emulator/kernel/errno.js';
import { O } from '../../../src/emulator/kernel/file/open-file.js';

let directory: string;
let files: HostFiles;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'sidestep-host-')));
  files = new NodeHost().files;
});
afterEach(() => rmSync(directory, { recursive: true }));

function at(name: string): string {
  return `${directory}/${name}`;
}

function open(path: string, flags: number, mode = 0o666, umask = 0): number {
  return files.open({ path, flags, mode, umask });
}

test('a file is made, written and read by position', () => {
  const handle = open(at('a'), O.RDWR | O.CREAT | O.EXCL);
  expect(files.pwrite(handle, Uint8Array.of(1, 2, 3), 4)).toBe(3);
  const into = new Uint8Array(10);
  expect(files.pread(handle, into, 3)).toBe(4);
  expect([...into]).toEqual([0, 1, 2, 3, 0, 0, 0, 0, 0, 0]);
  expect(files.pread(handle, into, 7)).toBe(0);
  expect(files.fstat(handle)).toMatchObject({ size: 7, links: 1, mode: 0o100666 });
  expect(files.truncate(handle, 2)).toBe(0);
  expect(files.sync(handle, true)).toBe(0);
  files.close(handle);
  expect(statSync(at('a')).size).toBe(2);
});

test('the guest’s umask counts, not the server’s', () => {
  const before = process.umask();
  files.close(open(at('a'), O.WRONLY | O.CREAT, 0o777, 0o027));
  expect(files.mkdir(at('d'), 0o777, 0o002)).toBe(0);
  expect(files.lstat(at('a'))).toMatchObject({ mode: 0o100750 });
  expect(files.lstat(at('d'))).toMatchObject({ mode: 0o040775 });
  expect(process.umask()).toBe(before);
});

test('handles are numbers of the gateway’s own, lowest first', () => {
  writeFileSync(at('a'), '');
  const handles = [open(at('a'), 0), open(at('a'), 0), open(at('a'), 0)];
  files.close(1);
  expect([...handles, open(at('a'), 0)]).toEqual([0, 1, 2, 1]);
  for (const handle of handles) files.close(handle);
  expect(() => files.fstat(1)).toThrow('no handle 1');
});

test('names: links, directories, what they answer', () => {
  expect(files.symlink('nowhere', at('l'))).toBe(0);
  expect(files.readlink(at('l'))).toBe('nowhere');
  expect(files.lstat(at('l'))).toMatchObject({ mode: 0o120777, size: 7 });
  writeFileSync(at('f'), 'x');
  expect(files.link(at('f'), at('hard'))).toBe(0);
  expect(files.lstat(at('f'))).toMatchObject({ links: 2 });
  expect(files.rename(at('hard'), at('moved'))).toBe(0);
  expect(files.mkdir(at('d'), 0o755, 0)).toBe(0);
  const types: Record<string, number> = { d: 4, f: 8, l: 10, moved: 8 };
  const order = execFileSync('ls', ['-U', directory], { encoding: 'utf8' }).trim().split('\n');
  expect(files.readdir(directory)).toEqual(order.map((name) => ({ name, type: types[name] })));
  expect(files.unlink(at('moved'))).toBe(0);
  expect(files.rmdir(at('d'))).toBe(0);
});

test('a name that is no UTF-8 is kept', () => {
  execFileSync('bash', ['-c', `touch ${directory}/$'\\xff'`]);
  expect(files.readdir(directory)).toEqual([{ name: '\udcff', type: 8 }]);
  expect(files.lstat(at('\udcff'))).toMatchObject({ size: 0 });
  expect(files.symlink('\udc80', at('l'))).toBe(0);
  expect(files.readlink(at('l'))).toBe('\udc80');
});

test('times: now, unchanged, given', () => {
  writeFileSync(at('f'), '');
  expect(files.utimes(at('f'), 1_500_000_000_250_000_000n, undefined)).toBe(0);
  const stat = files.lstat(at('f'));
  expect(stat).toMatchObject({ accessed: 1_500_000_000_250_000_000n });
  const handle = open(at('f'), O.RDWR);
  expect(files.futimes(handle, undefined, 1_000_000_000n)).toBe(0);
  expect(files.fchmod(handle, 0o600)).toBe(0);
  files.close(handle);
  expect(files.lstat(at('f'))).toMatchObject({ modified: 1_000_000_000n, mode: 0o100600 });
  expect(files.utimes(at('f'), 'now', 'now')).toBe(0);
  const now = files.lstat(at('f'));
  expect(typeof now === 'object' && Math.abs(Number(now.modified) / 1e6 - Date.now()) < 10_000).toBe(true);
});

test('times are kept to the nanosecond, until somebody else changes them', () => {
  writeFileSync(at('f'), '');
  const accessed = 1_764_112_345_123_456_789n;
  const modified = 1_764_112_345_987_654_321n;
  expect(files.utimes(at('f'), accessed, modified)).toBe(0);
  expect(files.lstat(at('f'))).toMatchObject({ accessed, modified });
  expect(files.utimes(at('f'), undefined, 5n)).toBe(0);
  expect(files.lstat(at('f'))).toMatchObject({ accessed, modified: 5n });
  const handle = open(at('f'), O.WRONLY);
  files.futimes(handle, undefined, modified);
  expect(files.fstat(handle)).toMatchObject({ accessed, modified });
  files.pwrite(handle, Uint8Array.of(1), 0);
  const stat = files.fstat(handle);
  expect(stat).toMatchObject({ accessed });
  expect(typeof stat === 'object' && stat.modified).not.toBe(modified);
  files.close(handle);
});

test('statfs and access', () => {
  expect(files.statfs(directory)).toMatchObject({ blockSize: statSync(directory).blksize });
  writeFileSync(at('f'), '', { mode: 0o644 });
  expect(files.access(at('f'), 4)).toBe(0);
  expect(files.access(at('f'), 1)).toBe(-EACCES);
  expect(files.access(at('gone'), 0)).toBe(-ENOENT);
});

test.each([
  { name: 'no such file', run: () => open(at('no'), 0), errno: ENOENT },
  { name: 'exists already', run: () => open(at('file'), O.CREAT | O.EXCL | O.WRONLY), errno: EEXIST },
  { name: 'a directory for writing', run: () => open(at('full'), O.WRONLY), errno: EISDIR },
  { name: 'a file as a directory', run: () => open(at('file/x'), 0), errno: ENOTDIR },
  { name: 'not a directory', run: () => open(at('file'), O.DIRECTORY), errno: ENOTDIR },
  { name: 'a link is not followed', run: () => open(at('link'), 0), errno: ELOOP },
  { name: 'a device', run: () => open('/dev/null', O.RDWR), errno: ENXIO },
  { name: 'a pipe does not block', run: () => open(at('fifo'), 0), errno: ENXIO },
  { name: 'not empty', run: () => files.rmdir(at('full')), errno: ENOTEMPTY },
  { name: 'no link', run: () => files.readlink(at('file')), errno: EINVAL },
  { name: 'mode of a link', run: () => files.chmod(at('link'), 0o600), errno: EOPNOTSUPP },
])('refused: $name', ({ run, errno }) => {
  writeFileSync(at('file'), '');
  symlinkSync('file', at('link'));
  mkdirSync(at('full/inner'), { recursive: true });
  execFileSync('mkfifo', [at('fifo')]);
  expect(run()).toBe(-errno);
});

test('below a root, nothing outside of it is reached', () => {
  mkdirSync(at('root/sub'), { recursive: true });
  writeFileSync(at('secret'), 'secret');
  writeFileSync(at('root/sub/file'), 'inside');
  symlinkSync('..', at('root/up'));
  symlinkSync('sub', at('root/inner'));
  const { files: confined, inputs } = new NodeHost({ root: at('root') });
  expect(inputs.cwd).toBe('/');
  expect(confined.lstat('/sub/file')).toMatchObject({ size: 6 });
  expect(confined.lstat('/')).toMatchObject({ mode: 0o040755 });
  expect(confined.lstat('/up')).toMatchObject({ mode: 0o120777 });
  expect(confined.open({ path: '/up/secret', flags: 0, mode: 0, umask: 0 })).toBe(-ELOOP);
  expect(confined.open({ path: '/inner/file', flags: 0, mode: 0, umask: 0 })).toBe(-ELOOP);
  expect(confined.lstat('/../secret')).toBe(-EACCES);
  expect(confined.rename('/sub/file', '/up/stolen')).toBe(-ELOOP);
  expect(confined.link('/up/secret', '/sub/linked')).toBe(-ELOOP);
});

test('read-only: everything that would change the host is refused', () => {
  writeFileSync(at('f'), 'text');
  const readOnly = new NodeHost({ readOnly: true }).files;
  const handle = readOnly.open({ path: at('f'), flags: 0, mode: 0, umask: 0 });
  const results = [
    readOnly.open({ path: at('f'), flags: O.WRONLY, mode: 0, umask: 0 }),
    readOnly.open({ path: at('g'), flags: O.CREAT, mode: 0o600, umask: 0 }),
    readOnly.open({ path: at('f'), flags: O.TRUNC, mode: 0, umask: 0 }),
    readOnly.mkdir(at('d'), 0o700, 0),
    readOnly.unlink(at('f')),
    readOnly.rename(at('f'), at('g')),
    readOnly.link(at('f'), at('g')),
    readOnly.symlink('f', at('g')),
    readOnly.chmod(at('f'), 0o777),
    readOnly.chown(at('f'), -1, -1),
    readOnly.utimes(at('f'), 'now', 'now'),
    readOnly.access(at('f'), 2),
    readOnly.fchmod(handle, 0o777),
  ];
  expect(new Set(results)).toEqual(new Set([-EROFS]));
  expect(readFileSync(at('f'), 'utf8')).toBe('text');
  expect(readOnly.access(at('f'), 4)).toBe(0);
});
