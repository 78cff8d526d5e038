/**
 * Where thread-local variables lie, without libthread_db: the thread pointer leads to the DTV, the object's struct link_map says which entry
 * (glibc sysdeps/x86_64/nptl/tls.h, include/link.h; "ELF Handling For Thread-Local Storage", 3.4).
 */
import type { Process } from '../emulator/process.js';
import { EINVAL, ENOENT, type Rejected, rejected } from '../rsp/error-code.js';
import { readMemory } from './debug-space.js';

/** Offset of `dtv` from the thread pointer (tcbhead_t). */
const DTV_AT = 8n;
/** One entry: the block's address, and what to free. */
const DTV_ENTRY = 16n;
/** An entry of a block that the thread has not used yet (TLS_DTV_UNALLOCATED). */
const UNALLOCATED = 0xffff_ffff_ffff_ffffn;

const AT_PHDR = 3;
const PT_TLS = 7;
const ELF_MAGIC = 0x7f45_4c46;
const E_PHOFF = 32;
const E_PHNUM = 56;
const EHDR_BYTES = 64;
const PHDR_BYTES = 56;
/** More than struct link_map has in any glibc. */
const LINK_MAP_BYTES = 0x800;

/** The object's TLS segment, as its program headers have it. */
interface TlsSegment {
  readonly image: bigint;
  readonly fileSize: bigint;
  readonly memorySize: bigint;
  readonly align: bigint;
}

/** `linkMap` 0: of a static program. */
export function threadLocalAddress(
  process: Process,
  threadPointer: bigint,
  offset: bigint,
  linkMap: bigint,
): { readonly address: bigint } | Rejected {
  const memory = new Reader(process);
  const dtv = memory.u64(threadPointer + DTV_AT);
  if (dtv === undefined || dtv === 0n) return rejected(ENOENT, 'the thread has no thread-local storage yet');
  const module = linkMap === 0n ? 1n : moduleOf(memory, linkMap);
  if (module === undefined) return rejected(EINVAL, 'the object has no thread-local storage');
  // The entry before the first holds the number of entries.
  const most = memory.u64(dtv - DTV_ENTRY);
  const block = most === undefined || module > most ? undefined : memory.u64(dtv + DTV_ENTRY * module);
  if (block === undefined || block === UNALLOCATED || block === 0n) {
    return rejected(ENOENT, "the thread has not used the object's thread-local storage yet");
  }
  return { address: BigInt.asUintN(64, block + offset) };
}

/**
 * `l_tls_modid` has no fixed offset, but what stands before it is known: address and size of the initial image, size and alignment of the block
 * (from the program headers), then two offsets.
 */
function moduleOf(memory: Reader, linkMap: bigint): bigint | undefined {
  const map = memory.upTo(linkMap, LINK_MAP_BYTES);
  const base = map.length < 8 ? undefined : map.readBigUInt64LE(0);
  const segment = base === undefined ? undefined : tlsSegment(memory, base);
  if (segment === undefined) return undefined;
  for (let at = 0; at + 56 <= map.length; at += 8) {
    if (
      map.readBigUInt64LE(at) === segment.image &&
      map.readBigUInt64LE(at + 8) === segment.fileSize &&
      map.readBigUInt64LE(at + 16) === segment.memorySize &&
      map.readBigUInt64LE(at + 24) === segment.align
    ) {
      return map.readBigUInt64LE(at + 48);
    }
  }
  return undefined;
}

/** `base`: where the object's ELF header is mapped; 0 for a program at fixed addresses, whose header lies in the page of AT_PHDR. */
function tlsSegment(memory: Reader, base: bigint): TlsSegment | undefined {
  const header = base === 0n ? memory.programHeaderPage() : base;
  const elf = header === undefined ? undefined : memory.bytes(header, EHDR_BYTES);
  if (header === undefined || elf === undefined || elf.readUInt32BE(0) !== ELF_MAGIC) return undefined;
  const table = memory.bytes(header + elf.readBigUInt64LE(E_PHOFF), elf.readUInt16LE(E_PHNUM) * PHDR_BYTES);
  if (table === undefined) return undefined;
  for (let at = 0; at < table.length; at += PHDR_BYTES) {
    if (table.readUInt32LE(at) !== PT_TLS) continue;
    return {
      image: BigInt.asUintN(64, base + table.readBigUInt64LE(at + 16)),
      fileSize: table.readBigUInt64LE(at + 32),
      memorySize: table.readBigUInt64LE(at + 40),
      align: table.readBigUInt64LE(at + 48),
    };
  }
  return undefined;
}

/** Little-endian reads of one process's memory. */
class Reader {
  constructor(private readonly process: Process) {}

  upTo(address: bigint, length: number): Buffer {
    const into = Buffer.alloc(length);
    return into.subarray(0, readMemory(this.process, address, into));
  }

  bytes(address: bigint, length: number): Buffer | undefined {
    const got = this.upTo(address, length);
    return got.length === length ? got : undefined;
  }

  u64(address: bigint): bigint | undefined {
    return this.bytes(address, 8)?.readBigUInt64LE();
  }

  programHeaderPage(): bigint | undefined {
    const phdr = this.process.image.auxv.find(([type]) => type === AT_PHDR)?.[1];
    return phdr === undefined ? undefined : phdr & ~0xfffn;
  }
}
