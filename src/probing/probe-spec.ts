/**
 * Where a probe shall be, as text:
 *
 *     main              a function of the program
 *     main+0x10         behind its start
 *     libc:malloc       a function of a shared library: `libc` stands for libc.so.6, libc-2.36.so and the like; a path for that file
 *     usdt:shop:sold    a USDT probe of any file that has it; libc:usdt:libc:setjmp of that one
 *     ./prog@0x1040     an offset in a file
 *     0x401136          an address of the process
 */

/** The module is what its file's path must match; undefined: the program itself, of `usdt` any file. */
export type ProbePlace =
  | { readonly kind: 'symbol'; readonly module: string | undefined; readonly symbol: string; readonly offset: number }
  | { readonly kind: 'usdt'; readonly module: string | undefined; readonly provider: string; readonly name: string }
  | { readonly kind: 'offset'; readonly module: string; readonly offset: number }
  | { readonly kind: 'address'; readonly address: number };

const NUMBER = '0x[0-9a-fA-F]+|[0-9]+';
const ADDRESS = new RegExp(`^(${NUMBER})$`);
const OFFSET = new RegExp(`^(.+)@(${NUMBER})$`);
const USDT = /^(?:([^:]+):)?usdt:([^:]+):([^:]+)$/;
const SYMBOL = new RegExp(`^(?:([^:]+):)?([^:+@]+)(?:\\+(${NUMBER}))?$`);

/** undefined: not understood. */
export function parseProbeSpec(text: string): ProbePlace | undefined {
  const address = ADDRESS.exec(text)?.[1];
  if (address !== undefined) return { kind: 'address', address: Number(address) };
  const usdt = USDT.exec(text);
  if (usdt !== null) return { kind: 'usdt', module: usdt[1], provider: usdt[2] ?? '', name: usdt[3] ?? '' };
  const offset = OFFSET.exec(text);
  if (offset !== null) return { kind: 'offset', module: offset[1] ?? '', offset: Number(offset[2]) };
  const symbol = SYMBOL.exec(text);
  if (symbol === null) return undefined;
  return { kind: 'symbol', module: symbol[1], symbol: symbol[2] ?? '', offset: Number(symbol[3] ?? 0) };
}

/** Does the file at this path go by the name? A name with a slash is (the end of) a path; without one the file's, less `.so` and what follows. */
export function isModule(path: string, name: string): boolean {
  if (name.startsWith('/')) return path === name;
  const plain = name.replace(/^\.\//, '');
  if (plain.includes('/')) return path.endsWith(`/${plain}`);
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file === plain || file.replace(/(-[0-9.]+)?\.so([0-9.]*)$/, '') === plain;
}
