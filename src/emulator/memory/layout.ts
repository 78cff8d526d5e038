/**
 * Where everything lives in the one WebAssembly.Memory. Offsets are byte addresses in that memory ("physical" addresses).
 *
 *     0            64 KiB: never used, so that a null physical address is always a mistake
 *     TABLES       constant tables of IR subroutines
 *     ACCESS_LOG   what the logging interpreter saw of one instruction's memory accesses
 *     HOOK_COUNTS  i64 each: hits that translated code has let pass (execution/code-hooks.ts)
 *     IR_CODE      code of the interpreter: 16-byte records
 *     FRAMES       the pool of 4 KiB frames; CPU structs are frames too. Frames grow from the bottom,
 *                  per-address-space areas (TLBs, jump cache) from the top.
 */
export const TABLES_BASE = 0x1_0000;
export const TABLES_SIZE = 0xf_0000;
export const ACCESS_LOG_BASE = 0x10_0000;
export const ACCESS_LOG_SIZE = 0x1_0000;
export const HOOK_COUNTS_BASE = 0x20_0000;
export const HOOK_COUNTS_SIZE = 0x20_0000;
export const IR_CODE_BASE = 0x240_0000;
export const IR_CODE_SIZE = 0x600_0000;
export const FRAMES_BASE = 0x1000_0000;

/**
 * The software TLB: two tables per address space (reads, writes), direct mapped, 2^16 entries of 8 bytes.
 *
 *     entry = page number << 20 | (frame number - page number) & 0xfffff
 *
 * so that an access of n bytes at `a` hits exactly when `(a + n - 1) >>> 12 == entry >>> 20` (a crossing access never hits), and its
 * physical address is then `i32(a) + (i32(entry) << 12)`. Zero is "no entry" everywhere but at index 0 and at the last one (an access at the very end
 * of the address space wraps), where it would match page 0; there the empty value is `TLB_EMPTY_0`, a page number that belongs to index 1.
 */
export const TLB_BITS = 16;
export const TLB_ENTRIES = 1 << TLB_BITS;
export const TLB_BYTES = TLB_ENTRIES * 8;
export const TLB_EMPTY_0 = 1n << 20n;

/**
 * The jump cache of an address space: 2^17 entries of 16 bytes: i64 guest ip, i32 wasm table index of the region (0: interpreted), i32 entry number in
 * the region or address of the interpreter's code. Zero is "no entry" everywhere but in the two places of address 0, where that is ip -1.
 *
 * What lies side by side in the program lies side by side here, two bytes of code for each entry: the code under way shall need few lines of the
 * processor's caches.
 */
export const JUMP_CACHE_BITS = 17;
/** Bits of an address that do not tell its entry. */
export const JUMP_CACHE_SHIFT = 1;
export const JUMP_CACHE_ENTRIES = 1 << JUMP_CACHE_BITS;
export const JUMP_CACHE_BYTES = JUMP_CACHE_ENTRIES * 16;
/** Offsets in an entry. */
export const JUMP_REGION = 8;
export const JUMP_ENTRY = 12;
const HASHED = JUMP_CACHE_ENTRIES << JUMP_CACHE_SHIFT;
/** The entry's index for a guest address (an integer below 2^48). */
export function jumpCacheIndex(ip: number): number {
  return ((ip ^ Math.floor(ip / HASHED)) >>> JUMP_CACHE_SHIFT) & (JUMP_CACHE_ENTRIES - 1);
}

/** The per-address-space area: read TLB, write TLB, jump cache. */
export const SPACE_TLB_READ = 0;
export const SPACE_TLB_WRITE = TLB_BYTES;
export const SPACE_JUMP_CACHE = 2 * TLB_BYTES;
export const SPACE_AREA_BYTES = 2 * TLB_BYTES + JUMP_CACHE_BYTES;
