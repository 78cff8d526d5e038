/** A called function's arguments and result, as handlers find them (System V ABI, 3.2.3). */
import { GPR } from '../register-set.js';
import { hex } from '../types.js';
import type { Hit } from '../uprobes/uprobe.js';

/** Registers of the first six integer arguments. */
const ARGUMENTS = [GPR.RDI, GPR.RSI, GPR.RDX, GPR.RCX, GPR.R8, GPR.R9] as const;

/**
 * The n-th integer or pointer argument, from 0, at the first instruction of a function: unsigned, 64 bits. The seventh and later ones lie on the stack;
 * throws an Error when that is not mapped.
 */
export function argument(hit: Hit, n: number): bigint {
  const place = argumentPlace(n);
  if ('register' in place) return hit.get(place.register);
  const at = BigInt.asUintN(64, hit.get(GPR.RSP) + place.stack);
  const bytes = hit.read(at, 8);
  if (bytes === undefined) throw new Error(`argument ${n} would be at ${hex(at)}, where nothing is mapped`);
  return Buffer.from(bytes).readBigUInt64LE();
}

/** Where the n-th one is: a register by hardware number, or so many bytes above the stack pointer. */
export function argumentPlace(n: number): { readonly register: number } | { readonly stack: bigint } {
  const register = ARGUMENTS[n];
  return register === undefined ? { stack: 8n * BigInt(n - ARGUMENTS.length + 1) } : { register };
}

/** What a function returns, in its return handler: unsigned, 64 bits. */
export function returnValue(hit: Hit): bigint {
  return hit.get(GPR.RAX);
}

/** The bytes before the NUL at an address, at most `limit`, as UTF-8; undefined when one of them is not mapped. */
export function stringAt(hit: Hit, address: bigint, limit = 4096): string | undefined {
  const bytes: number[] = [];
  for (let piece = PIECE; bytes.length < limit; ) {
    const at = BigInt.asUintN(64, address + BigInt(bytes.length));
    // Never across a page: the next may not be mapped.
    piece = Math.min(PIECE, limit - bytes.length, PAGE - Number(at % BigInt(PAGE)));
    const read = hit.read(at, piece);
    if (read === undefined) return undefined;
    const end = read.indexOf(0);
    bytes.push(...(end < 0 ? read : read.subarray(0, end)));
    if (end >= 0) break;
  }
  return Buffer.from(bytes).toString();
}

const PAGE = 4096;
const PIECE = 256;
