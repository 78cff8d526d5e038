/**
 * The vocabulary that every layer shares. No imports, no behaviour beyond small conversions.
 */

/**
 * A guest virtual address. User addresses lie below 2^47, so a double holds them exactly; a 64-bit value from a
 * register becomes one only through `vaddr()`, which refuses what no user mapping can contain.
 */
export type Vaddr = number & { readonly __brand: 'Vaddr' };

/** A guest process id (thread group id), unique within one machine. */
export type Pid = number & { readonly __brand: 'Pid' };

/** A guest thread id, unique within one machine; the leader's equals its Pid. */
export type Tid = number & { readonly __brand: 'Tid' };

/** First address above the user half (Linux TASK_SIZE for 4-level paging, less the guard page). */
export const TASK_SIZE = 0x7fff_ffff_f000;

/** log2 and size in bytes of a page. */
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;

/** The address for a 64-bit value, or undefined when no user mapping can contain it. */
export function vaddr(value: bigint | number): Vaddr | undefined {
  if (value < 0 || value >= TASK_SIZE) return undefined;
  return Number(value) as Vaddr;
}

/** `0x` and hexadecimal digits, for messages. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** Ends a switch over a union: the compiler proves that it is not reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

export const NS_PER_MS = 1_000_000;
export const NS_PER_SECOND = 1_000_000_000;
