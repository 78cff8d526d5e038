/** The places of a file that a ProbePlace names. */
import type { Module } from '../elf/module.js';
import { type ElfSymbol, globPattern } from '../elf/symbols.js';
import { type UsdtOperand, usdtOperands } from '../elf/usdt-operand.js';
import { Decoder, Instruction } from '../iced-x86.js';
import { hex } from '../types.js';
import type { ProbePlace } from './probe-spec.js';

/** One place of a file at which a probe is put. */
export interface ProbeSite {
  /** The file's path, as it is mapped. */
  readonly file: string;
  /** In the file. */
  readonly offset: number;
  /** As the file is linked; undefined: no segment maps the byte. */
  readonly address: number | undefined;
  /** `malloc`, `price+0x8`, `shop:sold`. */
  readonly name: string;
  /** Where a USDT probe's arguments are, and the offset in the file of its semaphore. */
  readonly operands: readonly (UsdtOperand | undefined)[] | undefined;
  readonly semaphore: number | undefined;
  /** The place is a function that chooses another one when the program is loaded (IFUNC): that one is meant. */
  readonly isResolver: boolean;
}

/** A string says why there are none. */
export function sitesOf(
  place: Exclude<ProbePlace, { kind: 'address' }>,
  module: Module,
): readonly ProbeSite[] | string {
  if (module.elf === undefined)
    return place.kind === 'offset' ? [plainSite(module, place.offset)] : `${module.path} is no ELF file`;
  switch (place.kind) {
    case 'offset':
      return [plainSite(module, place.offset)];
    case 'linked': {
      const site = atAddress(module, place.address);
      return site === undefined ? `nothing of ${module.path} is linked at ${hex(place.address)}` : [site];
    }
    case 'symbol':
      return symbolSites(place, module);
    case 'line':
      return lineSites(module, place.file, place.line);
    case 'functionLine':
      return functionLineSites(place, module);
    case 'usdt':
      return usdtSites(place, module);
  }
}

function plainSite(module: Module, offset: number): ProbeSite {
  const address = module.elf?.addressOf(offset);
  const name = address === undefined ? undefined : nameOf(module, address);
  return { ...PLAIN, file: module.path, offset, address, name: name ?? `${fileName(module)}@${hex(offset)}` };
}

const PLAIN = { operands: undefined, semaphore: undefined, isResolver: false } as const;

function atAddress(module: Module, address: number, name = nameOf(module, address)): ProbeSite | undefined {
  const offset = module.elf?.offsetOf(address);
  return offset === undefined
    ? undefined
    : { ...PLAIN, file: module.path, offset, address, name: name ?? hex(address) };
}

function fileName({ path }: Module): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `malloc+0x10`. */
export function nameOf(module: Module, address: number): string | undefined {
  const symbol = module.symbols.at(address);
  if (symbol === undefined) return undefined;
  return address === symbol.address ? symbol.name : `${symbol.name}+${hex(address - symbol.address)}`;
}

// ---- functions

function symbolSites(place: Extract<ProbePlace, { kind: 'symbol' }>, module: Module): readonly ProbeSite[] | string {
  const functions = functionsOf(place.symbol, place.source, module);
  if (typeof functions === 'string') return functions;
  const { offset } = place;
  const outside = functions.find(({ size }) => size > 0 && offset >= size);
  if (outside !== undefined) return `${outside.name} has only ${outside.size} bytes`;
  const between = functions.find(({ address }) => offset > 0 && !beginsInsn(module, address, offset));
  if (between !== undefined)
    return `no instruction begins at ${between.name}+${hex(offset)}${insnsAround(module, between, offset)}`;
  return functions.flatMap((symbol) => {
    const name = offset === 0 ? symbol.name : `${symbol.name}+${hex(offset)}`;
    const site = atAddress(module, symbol.address + offset, name);
    return site === undefined ? [] : [{ ...site, isResolver: symbol.kind === 'resolver' && offset === 0 }];
  });
}

/** Offsets from the function's start at which instructions begin, up to and behind `limit`. */
function insnOffsets({ elf }: Module, address: number, limit: number): number[] {
  const from = elf?.offsetOf(address);
  if (elf === undefined || from === undefined) return [];
  const decoder = new Decoder(64, elf.bytes.subarray(from, from + limit + MAX_INSN), 0);
  const insn = new Instruction();
  const offsets = [0];
  while (decoder.canDecode && (offsets.at(-1) ?? 0) <= limit) {
    decoder.decodeOut(insn);
    if (insn.isInvalid) break;
    offsets.push(decoder.position);
  }
  insn.free();
  decoder.free();
  return offsets;
}

const MAX_INSN = 15;

/** A breakpoint in the middle of an instruction would change it, and never be hit. */
function beginsInsn(module: Module, address: number, offset: number): boolean {
  return insnOffsets(module, address, offset).includes(offset);
}

function insnsAround(module: Module, { address, name }: ElfSymbol, offset: number): string {
  const offsets = insnOffsets(module, address, offset);
  const near = [offsets.filter((one) => one < offset).at(-1), offsets.find((one) => one > offset)];
  return `; one begins at ${near.flatMap((one) => (one === undefined ? [] : `${name}+${hex(one)}`)).join(', the next at ')}`;
}

function functionsOf(name: string, source: string | undefined, module: Module): readonly ElfSymbol[] | string {
  const all = module.symbols.functions(name);
  if (all.length === 0) return `no function of ${fileName(module)} is called ${name}${similar(name, module)}`;
  if (source === undefined) return all;
  const { lines } = module;
  if (lines === undefined) return `${fileName(module)} has no debug information that says where ${name} comes from`;
  const inSource = all.filter(({ address }) => lines.declaration(address)?.path.endsWith(source.replace(/^\.\//, '')));
  return inSource.length > 0 ? inSource : `no function ${name} comes from ${source}`;
}

function similar(name: string, { symbols }: Module): string {
  const found = symbols.similar(name);
  return found.length === 0 ? '' : `; there is ${found.join(', ')}`;
}

// ---- lines

function lineSites(module: Module, file: string, line: number, within?: number): readonly ProbeSite[] | string {
  const { lines } = module;
  if (lines === undefined)
    return `${fileName(module)} has no debug information: compile with -g, or install its debug package`;
  const { addresses, sources, neighbours } = lines.find(file, line, within);
  if (sources.length === 0) return `${fileName(module)} was not made from a source ${file}`;
  if (addresses.length > 0) return addresses.flatMap((address) => atAddress(module, address) ?? []);
  const near = neighbours.length === 0 ? '' : `; the next lines that have: ${neighbours.join(', ')}`;
  return `line ${line} of ${file} has no code${near}`;
}

function functionLineSites(
  { symbol, source, line }: Extract<ProbePlace, { kind: 'functionLine' }>,
  module: Module,
): readonly ProbeSite[] | string {
  const functions = functionsOf(symbol, source, module);
  if (typeof functions === 'string') return functions;
  const found: ProbeSite[] = [];
  let why = `${fileName(module)} has no debug information that says where ${symbol} is declared`;
  for (const { address } of functions) {
    const declared = module.lines?.declaration(address);
    const sites = declared === undefined ? why : lineSites(module, declared.path, declared.line + line, address);
    if (typeof sites === 'string') why = sites;
    else found.push(...sites);
  }
  return found.length > 0 ? found : why;
}

// ---- USDT

function usdtSites(
  { provider = '*', name }: Extract<ProbePlace, { kind: 'usdt' }>,
  module: Module,
): readonly ProbeSite[] | string {
  const [ofProvider, ofName] = [globPattern(provider), globPattern(name)];
  const found = module.usdt.filter((probe) => ofProvider.test(probe.provider) && ofName.test(probe.name));
  if (found.length > 0) {
    return found.map((probe) => ({
      file: module.path,
      offset: probe.offset,
      address: probe.address,
      name: `${probe.provider}:${probe.name}`,
      operands: usdtOperands(probe.args),
      semaphore: probe.semaphore?.offset,
      isResolver: false,
    }));
  }
  if (module.usdt.length === 0) return `${fileName(module)} has no USDT probes`;
  const known = [...new Set(module.usdt.map((probe) => `${probe.provider}:${probe.name}`))];
  return `${fileName(module)} has no USDT probe ${provider}:${name}; it has ${known.slice(0, 8).join(', ')}`;
}
