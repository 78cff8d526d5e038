/** Small forms that the texts of /proc share. */
import type { Process } from '../../process.js';
import type { SigSet } from '../../signals.js';
import { EACCES } from '../errno.js';
import type { TextNode } from '../file/synthetic-fs.js';
import { mayInspect } from '../identity-checks.js';

/** A file whose text is made when it is read. */
export function text(read: () => string | Uint8Array | number, mode = 0o444): TextNode {
  return { kind: 'text', mode, read };
}

/** The same for what only those may see who may inspect the process (ptrace_may_access). */
export function secret(
  viewer: Process,
  process: Process,
  read: () => string | Uint8Array | number,
  mode = 0o400,
): TextNode {
  return text(() => (mayInspect(viewer, process) ? read() : -EACCES), mode);
}

/** Lines of `name:<tab>value`. */
export function lines(rows: readonly (readonly [name: string, value: string | number])[]): string {
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join('');
}

/** A number of bytes as kB, right-aligned in 8 columns. */
export function kilobytes(bytes: number, width = 8): string {
  return `${String(Math.floor(bytes / 1024)).padStart(width)} kB`;
}

/** A set of signals or capabilities: 16 hexadecimal digits. */
export function set16(set: SigSet): string {
  return set.toString(16).padStart(16, '0');
}

/** USER_HZ. */
const TICK_NS = 10_000_000;

export function ticks(ns: number): number {
  return Math.floor(ns / TICK_NS);
}
