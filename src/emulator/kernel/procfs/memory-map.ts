/** What /proc tells of an address space: maps, smaps, statm (fs/proc/task_mmu.c). */
import { AddressSpace } from '../../memory/address-space.js';
import { pageOfObject } from '../../memory/pager.js';
import { isPrivate, PROT, VMA, type Vma } from '../../memory/vma.js';
import type { Process } from '../../process.js';
import { deviceNumbers } from '../file/device-number.js';
import { kilobytes } from './text.js';

const PAGE = 4096;
/** Column that names begin behind (show_vma_header_prefix). */
const NAME_COLUMN = 72;
/** shmem of MAP_SHARED | MAP_ANONYMOUS. */
const SHARED_NAME = '/dev/zero (deleted)';

/** The address space of a process that runs a program; undefined when it has ended. */
export function spaceOf({ space, isZombie }: Process): AddressSpace | undefined {
  return space instanceof AddressSpace && !isZombie ? space : undefined;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

function permissions(vma: Vma): string {
  const { prot } = vma;
  const bits = [prot & PROT.READ ? 'r' : '-', prot & PROT.WRITE ? 'w' : '-', prot & PROT.EXEC ? 'x' : '-'];
  return bits.join('') + (isPrivate(vma) ? 'p' : 's');
}

export function nameOf({ pages, name }: Vma): string {
  if (pages === undefined) return name;
  return (pages.file?.path ?? SHARED_NAME).replaceAll('\n', '\\012');
}

/** One line of maps, with its newline. */
export function mapLine(vma: Vma): string {
  const { start, end, offset, pages } = vma;
  const [major, minor] = deviceNumbers(pages?.file?.device ?? (pages === undefined ? 0 : 1));
  const place = `${hex(start, 8)}-${hex(end, 8)} ${permissions(vma)} ${hex(pages === undefined ? 0 : offset, 8)}`;
  const front = `${place} ${hex(major, 2)}:${hex(minor, 2)} ${pages?.file?.inode ?? 0} `;
  const name = nameOf(vma);
  return name === '' ? `${front}\n` : `${front.padEnd(NAME_COLUMN)} ${name}\n`;
}

/** Every process has it, above all that it can map (get_gate_vma): debuggers know the list by it. Nobody has called into it since glibc 2.14. */
const VSYSCALL = 'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n';

export function maps(space: AddressSpace): string {
  return space.vmas.all().map(mapLine).join('') + VSYSCALL;
}

/** Pages are counted as the process's own; what shares them is not looked for. */
export function smaps(space: AddressSpace): string {
  return space.vmas
    .all()
    .map((vma) => mapLine(vma) + smapRows(space, vma))
    .join('');
}

/** All mappings as one, from the first to the last. */
export function smapsRollup(space: AddressSpace): string {
  const vmas = space.vmas.all();
  const [first, last] = [vmas[0], vmas.at(-1)];
  if (first === undefined || last === undefined) return '';
  const range = `${hex(first.start, 8)}-${hex(last.end, 8)} ---p 00000000 00:00 0 `;
  const sums = new Map<string, number>();
  for (const vma of vmas) for (const [name, bytes] of usage(space, vma)) sums.set(name, (sums.get(name) ?? 0) + bytes);
  return `${range.padEnd(NAME_COLUMN)} [rollup]\n${shownRows([...sums])}`;
}

type Row = readonly [name: string, bytes: number];

function shownRows(rows: readonly Row[]): string {
  return rows.map(([name, bytes]) => `${`${name}:`.padEnd(16)}${kilobytes(bytes)}\n`).join('');
}

/** The rows that /proc/PID/smaps_rollup sums up. */
function usage(space: AddressSpace, vma: Vma): readonly Row[] {
  const resident = space.residentOf(vma);
  const anonymous = anonymousBytes(space, vma);
  const isShared = !isPrivate(vma);
  return [
    ['Rss', resident],
    ['Pss', resident],
    ['Pss_Dirty', anonymous],
    ['Shared_Clean', isShared ? resident : 0],
    ['Shared_Dirty', 0],
    ['Private_Clean', isShared ? 0 : resident - anonymous],
    ['Private_Dirty', anonymous],
    ['Referenced', resident],
    ['Anonymous', anonymous],
    ['LazyFree', 0],
    ['AnonHugePages', 0],
    ['ShmemPmdMapped', 0],
    ['FilePmdMapped', 0],
    ['Shared_Hugetlb', 0],
    ['Private_Hugetlb', 0],
    ['Swap', 0],
    ['SwapPss', 0],
    ['Locked', vma.flags & VMA.LOCKED ? resident : 0],
  ];
}

function smapRows(space: AddressSpace, vma: Vma): string {
  const sizes: readonly Row[] = [
    ['Size', vma.end - vma.start],
    ['KernelPageSize', PAGE],
    ['MMUPageSize', PAGE],
  ];
  return `${shownRows([...sizes, ...usage(space, vma)])}THPeligible:    0\nVmFlags: ${vmFlags(vma)}\n`;
}

/** Bytes that are the process's own: all of anonymous memory, and the copies that a private mapping of a file has made. A core file holds them. */
function anonymousBytes(space: AddressSpace, vma: Vma): number {
  const { pages } = vma;
  if (!isPrivate(vma)) return 0;
  if (pages === undefined) return space.residentOf(vma);
  let copies = 0;
  space.pager.table.each(vma.start / PAGE, vma.end / PAGE, (page, frame) => {
    if (frame !== pages.cached(pageOfObject(vma, page))) copies++;
  });
  return copies * PAGE;
}

/** show_smap_vma_flags: two letters and a space each. */
function vmFlags({ prot, maxProt, flags }: Vma): string {
  const letters: readonly (readonly [boolean, string])[] = [
    [(prot & PROT.READ) !== 0, 'rd'],
    [(prot & PROT.WRITE) !== 0, 'wr'],
    [(prot & PROT.EXEC) !== 0, 'ex'],
    [(flags & VMA.SHARED) !== 0, 'sh'],
    [(maxProt & PROT.READ) !== 0, 'mr'],
    [(maxProt & PROT.WRITE) !== 0, 'mw'],
    [(maxProt & PROT.EXEC) !== 0, 'me'],
    [(flags & VMA.SHARED) !== 0, 'ms'],
    [(flags & VMA.GROWSDOWN) !== 0, 'gd'],
    [(flags & VMA.LOCKED) !== 0, 'lo'],
    [(flags & VMA.DONTFORK) !== 0, 'dc'],
    [(flags & VMA.NORESERVE) !== 0, 'nr'],
    [(flags & VMA.DONTDUMP) !== 0, 'dd'],
    [(flags & VMA.WIPEONFORK) !== 0, 'wf'],
    [(flags & VMA.ACCOUNT) !== 0, 'ac'],
    [(flags & VMA.STACK) !== 0, 'nh'],
  ];
  return letters.flatMap(([has, name]) => (has ? [`${name} `] : [])).join('');
}

/** Bytes of each kind, as status and statm tell them. */
export interface MemoryUse {
  readonly total: number;
  readonly resident: number;
  readonly anonymous: number;
  readonly file: number;
  readonly locked: number;
  /** Private and writable, the stack left out. */
  readonly data: number;
  readonly stack: number;
  readonly code: number;
  /** Executable, the program's own left out. */
  readonly libraries: number;
}

export function memoryUse(space: AddressSpace): MemoryUse {
  const vmas = space.vmas.all();
  const sum = (match: (vma: Vma) => boolean, size = (vma: Vma): number => vma.end - vma.start): number =>
    vmas.filter(match).reduce((bytes, vma) => bytes + size(vma), 0);
  const resident = (vma: Vma): number => space.residentOf(vma);
  const isStack = (vma: Vma): boolean => (vma.flags & VMA.GROWSDOWN) !== 0;
  const isData = (vma: Vma): boolean => (vma.prot & PROT.WRITE) !== 0 && isPrivate(vma) && !isStack(vma);
  const [from, to] = space.marks.code;
  const code = Math.ceil(to / PAGE) * PAGE - Math.floor(from / PAGE) * PAGE;
  return {
    total: space.mappedBytes,
    resident: space.residentBytes,
    anonymous: sum((vma) => vma.pages === undefined, resident),
    file: sum((vma) => vma.pages !== undefined, resident),
    locked: sum((vma) => (vma.flags & VMA.LOCKED) !== 0),
    data: sum(isData),
    stack: sum(isStack),
    code,
    libraries: Math.max(0, sum((vma) => (vma.prot & PROT.EXEC) !== 0) - code),
  };
}

/** Pages: size, resident, shared, text, lib (0), data with stack, dirty (0). */
export function statm(space: AddressSpace): string {
  const { total, resident, file, code, data, stack } = memoryUse(space);
  const pages = [total, resident, file, code, 0, data + stack, 0].map((bytes) => Math.floor(bytes / PAGE));
  return `${pages.join(' ')}\n`;
}
