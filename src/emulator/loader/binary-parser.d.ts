/** The part of the package `binary-parser` that elf.ts uses: its own declarations cannot be found through its `exports` in an ES module. */
declare module 'binary-parser' {
  export class Parser {
    endianness(order: 'little' | 'big'): this;
    seek(bytes: number): this;
    uint16(name: string): this;
    uint32(name: string): this;
    uint64(name: string, options: { formatter: (value: bigint) => number }): this;
    parse(bytes: Uint8Array): unknown;
  }
}
