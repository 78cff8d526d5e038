import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeAll } from '../../src/server/write-all.js';

test('a reader that is slow gets everything, though the descriptor does not block', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sidestep-test-'));
  const [fifo, copy] = [join(folder, 'fifo'), join(folder, 'copy')];
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const bytes = new Uint8Array(300_000).fill(65);
  const reader = spawn('sh', ['-c', `sleep 0.2; head -c 300003 ${fifo} > ${copy}`]);
  writeAll(fd, bytes);
  writeAll(fd, 'end');
  await new Promise((resolve) => reader.on('close', resolve));
  closeSync(fd);
  const text = readFileSync(copy, 'latin1');
  rmSync(folder, { recursive: true });
  expect({ length: text.length, end: text.slice(-4) }).toEqual({ length: 300_003, end: 'Aend' });
});
