/**
 * The dynamic linker's list of loaded objects, read out of the program's memory: auxv -> program headers -> PT_DYNAMIC -> DT_DEBUG ->
 * struct r_debug -> chain of struct link_map (glibc link.h; gdb manual, "Library List Format for SVR4 Targets"). Sparing gdb this walk saves
 * a third of the packets of a session.
 */
import type { Pid } from '../types.js';
import { escapeXml } from './document.js';
import type { Target } from './target.js';

const AT_PHDR = 3n;
const AT_PHENT = 4n;
const AT_PHNUM = 5n;
const PT_DYNAMIC = 2;
const PT_PHDR = 6;
const DT_NULL = 0n;
const DT_DEBUG = 21n;

/** Offsets in the 64-bit structures. */
const R_DEBUG = { VERSION: 0n, MAP: 8n, NEXT: 40n } as const;
const LINK_MAP = { ADDR: 0, NAME: 8, LD: 16, NEXT: 24, PREV: 32, SIZE: 40 } as const;

/** Bounds for what a broken program can make us read. */
const MAX_DYNAMIC = 1024;
const MAX_OBJECTS = 16_384;
const MAX_NAMESPACES = 64;
const PATH_MAX = 4096;

/** Where to begin: an annex `start=ADDR;prev=ADDR;lmid=ADDR` fetches the rest of a list that the client has in part. */
export interface LibraryListStart {
  readonly start?: bigint;
  readonly prev?: bigint;
  readonly lmid?: bigint;
}

/** undefined: the program has no dynamic section, or none that can be read. */
export function svr4LibraryList(target: Target, pid: Pid, from: LibraryListStart): string | undefined {
  const memory = new GuestReader(target, pid);
  const rDebug = from.lmid ?? findRDebug(memory, target.auxv(pid));
  if (rDebug === undefined) return undefined;
  const list = new LibraryList(memory);
  if (from.start !== undefined && from.start !== 0n) list.addChain(rDebug, from.start, from.prev ?? 0n);
  else if (rDebug !== 0n) list.addNamespaces(rDebug);
  return list.document();
}

/** Where the address of struct r_debug stands, the value of DT_DEBUG: what lldb asks for; undefined: the program has no dynamic section. */
export function addressOfRDebugPointer(target: Target, pid: Pid): bigint | undefined {
  return findDebugEntry(new GuestReader(target, pid), target.auxv(pid))?.place;
}

/** Little-endian reads that say undefined when memory is not there. */
class GuestReader {
  constructor(
    private readonly target: Target,
    private readonly pid: Pid,
  ) {}

  bytes(address: bigint, length: number): Buffer | undefined {
    const into = Buffer.alloc(length);
    return this.target.readMemory(this.pid, address, into) === length ? into : undefined;
  }

  u64(address: bigint): bigint | undefined {
    return this.bytes(address, 8)?.readBigUInt64LE();
  }

  /** What is readable before the NUL. */
  string(address: bigint): string {
    const into = Buffer.alloc(PATH_MAX);
    const readable = into.subarray(0, this.target.readMemory(this.pid, address, into));
    const end = readable.indexOf(0);
    return readable.toString('utf8', 0, end < 0 ? readable.length : end);
  }
}

/** Address of struct r_debug; 0 while the dynamic linker has not set it. */
function findRDebug(memory: GuestReader, auxv: Uint8Array | undefined): bigint | undefined {
  return findDebugEntry(memory, auxv)?.value;
}

function findDebugEntry(
  memory: GuestReader,
  auxv: Uint8Array | undefined,
): { place: bigint; value: bigint } | undefined {
  const dynamic = auxv && findDynamic(memory, auxv);
  if (dynamic === undefined) return undefined;
  for (let i = 0; i < MAX_DYNAMIC; i++) {
    const at = dynamic + BigInt(16 * i);
    const entry = memory.bytes(at, 16);
    const tag = entry?.readBigUInt64LE(0);
    if (entry === undefined || tag === DT_NULL) return undefined;
    if (tag === DT_DEBUG) return { place: at + 8n, value: entry.readBigUInt64LE(8) };
  }
  return undefined;
}

/** The main program's dynamic section: PT_PHDR tells how far the program was moved. */
function findDynamic(memory: GuestReader, auxv: Uint8Array): bigint | undefined {
  const phdr = auxvEntry(auxv, AT_PHDR);
  const size = Number(auxvEntry(auxv, AT_PHENT) ?? 0n);
  const count = Number(auxvEntry(auxv, AT_PHNUM) ?? 0n);
  const table =
    phdr === undefined || size < 56 || size * count > 0x10000 ? undefined : memory.bytes(phdr, size * count);
  if (phdr === undefined || table === undefined) return undefined;
  const addressOf = (type: number): bigint | undefined => {
    for (let at = 0; at < table.length; at += size) {
      if (table.readUInt32LE(at) === type) return table.readBigUInt64LE(at + 16);
    }
    return undefined;
  };
  const own = addressOf(PT_PHDR);
  const dynamic = addressOf(PT_DYNAMIC);
  return own === undefined || dynamic === undefined ? undefined : BigInt.asUintN(64, dynamic + phdr - own);
}

function auxvEntry(auxv: Uint8Array, type: bigint): bigint | undefined {
  const view = Buffer.from(auxv.buffer, auxv.byteOffset, auxv.byteLength);
  for (let at = 0; at + 16 <= view.length; at += 16) {
    if (view.readBigUInt64LE(at) === type) return view.readBigUInt64LE(at + 8);
  }
  return undefined;
}

/** Gathers the entries of one document. */
class LibraryList {
  private mainMap: bigint | undefined;
  private readonly entries: string[] = [];
  private objects = 0;

  constructor(private readonly memory: GuestReader) {}

  /** The list that begins at r_debug, and those that dlmopen has linked behind it (version 2). */
  addNamespaces(first: bigint): void {
    let rDebug: bigint | undefined = first;
    for (let i = 0; rDebug !== undefined && rDebug !== 0n && i < MAX_NAMESPACES; i++) {
      const map = this.memory.u64(rDebug + R_DEBUG.MAP);
      if (map !== undefined) this.addChain(rDebug, map, 0n, i === 0);
      rDebug = this.version(rDebug) >= 2 ? this.memory.u64(rDebug + R_DEBUG.NEXT) : undefined;
    }
  }

  /** `withMain`: the first entry is the main program, which the document names apart. */
  addChain(lmid: bigint, start: bigint, prev: bigint, withMain = false): void {
    let previous = prev;
    for (let at = start; at !== 0n && this.objects < MAX_OBJECTS; this.objects++) {
      const map = this.memory.bytes(at, LINK_MAP.SIZE);
      if (map === undefined || map.readBigUInt64LE(LINK_MAP.PREV) !== previous) return;
      if (withMain && previous === 0n) this.mainMap = at;
      else this.addEntry(lmid, at, map);
      previous = at;
      at = map.readBigUInt64LE(LINK_MAP.NEXT);
    }
  }

  document(): string {
    const main = this.mainMap === undefined ? '' : ` main-lm="${hex(this.mainMap)}"`;
    return `<library-list-svr4 version="1.0"${main}>${this.entries.join('')}</library-list-svr4>`;
  }

  private addEntry(lmid: bigint, at: bigint, map: Buffer): void {
    const name = this.memory.string(map.readBigUInt64LE(LINK_MAP.NAME));
    if (name === '') return;
    const base = hex(map.readBigUInt64LE(LINK_MAP.ADDR));
    const dynamic = hex(map.readBigUInt64LE(LINK_MAP.LD));
    this.entries.push(
      `<library name="${escapeXml(name)}" lm="${hex(at)}" l_addr="${base}" l_ld="${dynamic}" lmid="${hex(lmid)}"/>`,
    );
  }

  private version(rDebug: bigint): number {
    return this.memory.bytes(rDebug + R_DEBUG.VERSION, 4)?.readInt32LE() ?? 0;
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
