/**
 * Guest memory access for the interpreter: TLB lookups, and accesses that cross a page, which the TLB never hits. All of them return 0 when
 * a page is missing, and leave the first missing address in EXIT_ADDRESS.
 *
 * With `logging`, every access is also appended to the access log, so that watchpoints see exactly what one instruction touched; and a
 * list of spare TLB entries is searched after the TLB, so that an instruction runs whose pages push each other out of it.
 */
import { STATE } from '../cpu-state.js';
import type { Value } from '../ir/op-builder.js';
import { type Subroutine, type SubroutineBuilder, subroutine } from '../ir/subroutine.js';
import { ACCESS_LOG_BASE, ACCESS_LOG_SIZE, TLB_ENTRIES } from '../memory/layout.js';
import { ACCESS } from '../stop.js';

/** 32 bytes at the end of the CPU struct: a crossing access on its way. */
export const CROSSING_BUFFER = STATE.END - 32;

/** Function indices in the runtime module. */
export interface MemoryFunctions {
  /** (address, size) → physical address, 0 if not in one mapped page. */
  readonly locateRead: number;
  readonly locateWrite: number;
  /** A read by an instruction that will write there: looks where `locateWrite` does. */
  readonly locateUpdate: number;
  /** (address, size) → physical address of the bytes, collected in the crossing buffer. */
  readonly gatherRead: number;
  readonly gatherWrite: number;
  /** (address, size) → 1 after the crossing buffer went to memory. */
  readonly scatter: number;
  /** (address, size) → 1 when all bytes can be accessed. */
  readonly probeRead: number;
  readonly probeWrite: number;
}

/** Entries of the access log: u64 address, u32 size, u32 ACCESS.*. */
export const LOG_ENTRY_BYTES = 16;
/** The end of the area: i32 count, then from 16 on entries of u64 TLB entry, u32 ACCESS.*. */
const SPARE_BYTES = 1024;
export const SPARE_ENTRIES_BASE = ACCESS_LOG_BASE + ACCESS_LOG_SIZE - SPARE_BYTES;
export const SPARE_ENTRIES = SPARE_BYTES / 16 - 1;
const LOG_CAPACITY = (ACCESS_LOG_SIZE - SPARE_BYTES) / LOG_ENTRY_BYTES;

type Lookup = (b: SubroutineBuilder, at: Value, last: Value) => Value;

/** The physical address of one byte in the page of `at`, or 0; `last` is the last byte that must lie in the same page. */
function lookupIn(access: number, logging: boolean): Lookup {
  const tlb = access === ACCESS.WRITE ? STATE.TLB_WRITE : STATE.TLB_READ;
  return (b, at, last) => {
    const found = tlbLookup(b, tlb, at, last);
    return logging ? spareLookup(b, access, at, last, found) : found;
  };
}

function spareLookup(b: SubroutineBuilder, access: number, at: Value, last: Value, found: Value): Value {
  const result = b.variable(found);
  const page = b.shrU(at, b.i64(12));
  b.if(b.and(b.eqz(found), b.eq(page, b.shrU(last, b.i64(12)))), () => {
    const base = b.i32(SPARE_ENTRIES_BASE);
    const end = b.add(base, b.shl(b.raw('load32', base), b.i32(4)));
    const at16 = b.variable(base);
    b.loop(() => {
      const before = b.read(at16);
      const entry = b.raw('load64', before, 16);
      const wanted = b.and(b.eq(b.raw('load32', before, 24), b.i32(access)), b.eq(page, b.shrU(entry, b.i64(20))));
      b.if(b.and(wanted, b.ltU(before, end)), () => {
        b.assign(result, b.add(b.wrap(at), b.shl(b.wrap(entry), b.i32(12))));
      });
      b.assign(at16, b.add(before, b.i32(16)));
      return b.ltU(b.read(at16), end);
    });
  });
  return b.read(result);
}

/** The physical address of the byte at `at`, or 0 unless the table has the page, up to the byte at `last`. */
export function tlbLookup(b: SubroutineBuilder, tlb: number, at: Value, last: Value): Value {
  const table = b.raw('load32', b.cpu, tlb);
  const index = b.and(b.wrap(b.shrU(at, b.i64(9))), b.i32((TLB_ENTRIES - 1) << 3));
  const entry = b.raw('load64', b.add(table, index));
  const hit = b.eq(b.shrU(last, b.i64(12)), b.shrU(entry, b.i64(20)));
  return b.select(hit, b.add(b.wrap(at), b.shl(b.wrap(entry), b.i32(12))), b.i32(0));
}

function appendToLog(b: SubroutineBuilder, at: Value, size: Value, access: number): void {
  const count = b.raw('load32', b.cpu, STATE.ACCESS_COUNT);
  b.if(b.ltU(count, b.i32(LOG_CAPACITY)), () => {
    const entry = b.mul(count, b.i32(LOG_ENTRY_BYTES));
    b.rawStore('store64', entry, ACCESS_LOG_BASE, at);
    b.rawStore('store32', entry, ACCESS_LOG_BASE + 8, size);
    b.rawStore('store32', entry, ACCESS_LOG_BASE + 12, b.i32(access));
    b.rawStore('store32', b.cpu, STATE.ACCESS_COUNT, b.add(count, b.i32(1)));
  });
}

function missed(b: SubroutineBuilder, at: Value): void {
  b.rawStore('store64', b.cpu, STATE.EXIT_ADDRESS, at);
}

/** The subroutines for one direction of access and the scatter, in the order of MemoryFunctions. */
export function memorySubroutines(logging: boolean): Record<keyof MemoryFunctions, Subroutine> {
  const locate = (name: string, access: number, logged = access): Subroutine =>
    subroutine(name, 'li>i', (b, at, size) => {
      const address = at as Value;
      const found = lookupIn(access, logging)(b, address, b.add(address, b.extendU(b.sub(size as Value, b.i32(1)))));
      if (logging) b.if(found, () => appendToLog(b, address, size as Value, logged));
      return found;
    });

  /** Both pages of a crossing access must be there: the number of bytes in the first one, and the physical addresses. */
  const bothPages = (b: SubroutineBuilder, access: number, at: Value, size: Value): [Value, Value, Value] => {
    const lookup = lookupIn(access, logging);
    const first = b.sub(b.i32(4096), b.and(b.wrap(at), b.i32(4095)));
    const low = lookup(b, at, at);
    b.if(b.eqz(low), () => {
      missed(b, at);
      b.return(b.i32(0));
    });
    const second = b.add(at, b.extendU(first));
    const high = lookup(b, second, second);
    b.if(b.and(b.eqz(high), b.ltU(first, size)), () => {
      missed(b, second);
      b.return(b.i32(0));
    });
    return [b.select(b.ltU(first, size), first, size), low, high];
  };

  const gather = (name: string, access: number): Subroutine =>
    subroutine(name, 'li>i', (b, at, size) => {
      const [first, low, high] = bothPages(b, access, at as Value, size as Value);
      const buffer = b.add(b.cpu, b.i32(CROSSING_BUFFER));
      b.copy(buffer, low, first);
      b.if(b.ltU(first, size as Value), () => b.copy(b.add(buffer, first), high, b.sub(size as Value, first)));
      if (logging) appendToLog(b, at as Value, size as Value, ACCESS.READ);
      return buffer;
    });

  const scatter = subroutine('memory.scatter', 'li>i', (b, at, size) => {
    const [first, low, high] = bothPages(b, ACCESS.WRITE, at as Value, size as Value);
    const buffer = b.add(b.cpu, b.i32(CROSSING_BUFFER));
    b.copy(low, buffer, first);
    b.if(b.ltU(first, size as Value), () => b.copy(high, b.add(buffer, first), b.sub(size as Value, first)));
    if (logging) appendToLog(b, at as Value, size as Value, ACCESS.WRITE);
    return b.i32(1);
  });

  const probe = (name: string, access: number): Subroutine =>
    subroutine(name, 'li>i', (b, at, size) => {
      bothPages(b, access, at as Value, size as Value);
      return b.i32(1);
    });

  return {
    locateRead: locate('memory.locateRead', ACCESS.READ),
    locateWrite: locate('memory.locateWrite', ACCESS.WRITE),
    locateUpdate: locate('memory.locateUpdate', ACCESS.WRITE, ACCESS.READ),
    gatherRead: gather('memory.gatherRead', ACCESS.READ),
    gatherWrite: gather('memory.gatherWrite', ACCESS.WRITE),
    scatter,
    probeRead: probe('memory.probeRead', ACCESS.READ),
    probeWrite: probe('memory.probeWrite', ACCESS.WRITE),
  };
}
