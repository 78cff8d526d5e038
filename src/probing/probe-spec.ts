/**
 * Where a probe shall be, as text. `perf probe` and bpftrace users find their own words:
 *
 *     main                    a function of the program; `mem*` several
 *     main+0x10               behind its start
 *     libc:malloc             a function of a shared library: `libc` stands for libc.so.6, libc-2.36.so and the like; a path for that file; `*` for any
 *     libc:memcpy@GLIBC_2.2.5 an older version of it
 *     shop.c:42               a source line; libc:malloc.c:3300 of a library
 *     price:2                 the second line behind the line where the function is declared; price@shop.c:2 of that source
 *     usdt:shop:sold          a USDT probe of any file that has it; libc:usdt:libc:setjmp of that one. Also %sdt_shop:sold, sdt_shop:sold, usdt:./prog:shop:sold
 *     ./prog@0x1040           an offset in a file; also ./prog:0x1040
 *     0x401136                an address of the process
 */

/** The module is what its file's path must match; undefined: the program itself, of `usdt` any file. */
export type ProbePlace =
  | {
      readonly kind: 'symbol';
      readonly module: string | undefined;
      /** May hold a version (`memcpy@GLIBC_2.2.5`) and the wildcards of a shell. */
      readonly symbol: string;
      readonly offset: number;
      /** Only the function of this source file. */
      readonly source?: string | undefined;
    }
  | { readonly kind: 'line'; readonly module: string | undefined; readonly file: string; readonly line: number }
  | {
      readonly kind: 'functionLine';
      readonly module: string | undefined;
      readonly symbol: string;
      readonly source: string | undefined;
      /** Counted from the line of the function's declaration: 0. */
      readonly line: number;
    }
  /** provider undefined: any. Both may hold wildcards. */
  | {
      readonly kind: 'usdt';
      readonly module: string | undefined;
      readonly provider: string | undefined;
      readonly name: string;
    }
  | { readonly kind: 'offset'; readonly module: string; readonly offset: number }
  /** An address as the file is linked: what bpftrace means by uprobe:FILE:0xADDRESS. */
  | { readonly kind: 'linked'; readonly module: string; readonly address: number }
  | { readonly kind: 'address'; readonly address: number };

const NUMBER = '0x[0-9a-fA-F]+|[0-9]+';
const HEXADECIMAL = /^0x[0-9a-fA-F]+$/;
const DECIMAL = /^[0-9]+$/;
const SDT = /^%?sdt_([^:]+):([^:]+)$|^%(?:([^:]+):)?([^:]+)$/;
const USDT = /^(?:([^:]+):)?usdt:(.+)$/;
const OFFSET = new RegExp(`^(.+)@(${NUMBER})$`);
const FUNCTION = new RegExp(`^([^@+]+(?:@@?[^@+]*[0-9])?)(?:@([^@+]+))?(?:\\+(${NUMBER}))?$`);

/** A string says what is wrong. */
export function parseProbeSpec(text: string): ProbePlace | string {
  if (text === '') return 'no place is named';
  if (text.includes(';'))
    return `"${text}": lazy patterns (FUNCTION;PATTERN) are not known here; name the line: FILE:LINE`;
  const { plain, restore } = hideEscaped(text);
  const place = parsePlain(plain);
  if (place === undefined)
    return `"${text}" is no place for a probe: write FUNCTION, LIBRARY:FUNCTION, FILE.c:LINE, usdt:PROVIDER:NAME, FILE@OFFSET or 0xADDRESS`;
  return mapText(place, restore);
}

/** perf probe's backslashes: what they stand before is no syntax. */
function hideEscaped(text: string): { plain: string; restore: (text: string) => string } {
  const PRIVATE = 0xe000;
  const plain = text.replace(/\\(.)/gs, (_, char: string) => String.fromCharCode(PRIVATE + char.charCodeAt(0)));
  return {
    plain,
    restore: (hidden) =>
      hidden.replace(/[\ue000-\ue0ff]/g, (char) => String.fromCharCode(char.charCodeAt(0) - PRIVATE)),
  };
}

function mapText(place: ProbePlace, restore: (text: string) => string): ProbePlace {
  const entries = Object.entries(place).map(([key, value]) => [
    key,
    typeof value === 'string' ? restore(value) : value,
  ]);
  return Object.fromEntries(entries) as ProbePlace;
}

function parsePlain(text: string): ProbePlace | undefined {
  if (new RegExp(`^(${NUMBER})$`).test(text)) return { kind: 'address', address: Number(text) };
  const sdt = SDT.exec(text);
  if (sdt !== null)
    return {
      kind: 'usdt',
      module: undefined,
      provider: sdt[1] ?? sdt[3]?.replace(/^sdt_/, ''),
      name: sdt[2] ?? sdt[4] ?? '',
    };
  const usdt = USDT.exec(text);
  if (usdt !== null) return parseUsdt(usdt[1], (usdt[2] ?? '').split(':'));
  const offset = OFFSET.exec(text);
  if (offset !== null) return { kind: 'offset', module: offset[1] ?? '', offset: Number(offset[2]) };
  return parseParts(text.split(':'));
}

/** `NAME`, `PROVIDER:NAME`, `FILE:NAME` where FILE has a slash, `FILE:PROVIDER:NAME`. */
function parseUsdt(module: string | undefined, parts: readonly string[]): ProbePlace | undefined {
  if (parts.length > 3 || parts.includes('')) return undefined;
  const name = parts.at(-1) ?? '';
  if (parts.length === 3)
    return module === undefined ? { kind: 'usdt', module: parts[0], provider: parts[1], name } : undefined;
  const [first] = parts;
  if (parts.length === 2 && first?.includes('/')) return { kind: 'usdt', module: first, provider: undefined, name };
  return { kind: 'usdt', module, provider: parts.length === 2 ? first : undefined, name };
}

function parseParts(parts: readonly string[]): ProbePlace | undefined {
  const last = parts.at(-1) ?? '';
  if (parts.includes('')) return undefined;
  if (DECIMAL.test(last) && parts.length > 1) return parseLine(parts.slice(0, -1), Number(last));
  const [first = '', second] = parts;
  if (parts.length === 1) return parseFunction(undefined, first);
  if (parts.length > 2 || second === undefined) return undefined;
  return HEXADECIMAL.test(second)
    ? { kind: 'offset', module: first, offset: Number(second) }
    : parseFunction(first, second);
}

function parseLine(before: readonly string[], line: number): ProbePlace | undefined {
  if (before.length > 2) return undefined;
  const what = before.at(-1) ?? '';
  const module = before.length === 2 ? before[0] : undefined;
  // As perf probe tells them apart: sources have a dot in their names.
  if (/[./]/.test(what) && !what.includes('@')) return { kind: 'line', module, file: what, line };
  const found = parseFunction(module, what);
  if (found?.kind !== 'symbol' || found.offset !== 0) return undefined;
  return { kind: 'functionLine', module, symbol: found.symbol, source: found.source, line };
}

function parseFunction(module: string | undefined, text: string): ProbePlace | undefined {
  const match = FUNCTION.exec(text);
  if (match === null) return undefined;
  const [, symbol = '', source, offset = '0'] = match;
  return { kind: 'symbol', module, symbol, offset: Number(offset), source };
}

/** Does the file at this path go by the name? A name with a slash is (the end of) a path; without one the file's, less `.so` and what follows. */
export function isModule(path: string, name: string): boolean {
  if (name === '*') return true;
  if (name.startsWith('/')) return path === name;
  const plain = name.replace(/^\.\//, '');
  if (plain.includes('/')) return path.endsWith(`/${plain}`);
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file === plain || file.replace(/(-[0-9.]+)?\.so([0-9.]*)$/, '') === plain;
}
