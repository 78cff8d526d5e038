/**
 * The segment descriptors that user code can name: Linux's GDT (arch/x86/include/asm/segment.h) as LAR, LSL, VERR, VERW and segment loads
 * see it at privilege level 3. There is no LDT, and no TLS descriptor.
 */
import type { OpBuilder, Value } from '../ir/op-builder.js';

interface Descriptor {
  /** Selector without its two low bits: the requested privilege level never matters at level 3. */
  readonly selector: number;
  /** As LAR gives them. */
  readonly rights: number;
  /** As LSL gives it, in bytes, signed 32 bits. */
  readonly limit: number;
  readonly writable: boolean;
}

const DESCRIPTORS: readonly Descriptor[] = [
  /** Compatibility-mode code. */
  { selector: 0x20, rights: 0xcf_fb00, limit: -1, writable: false },
  { selector: 0x28, rights: 0xcf_f300, limit: -1, writable: true },
  /** 64-bit code. */
  { selector: 0x30, rights: 0xaf_fb00, limit: -1, writable: false },
  /** The number of the processor and its node, as a limit. */
  { selector: 0x78, rights: 0x40_f500, limit: 0, writable: false },
];

function chosen(b: OpBuilder, selector: Value, descriptors: readonly Descriptor[]): Value {
  const index = b.and(selector, b.i32(0xfffc));
  return descriptors.map((descriptor) => b.eq(index, b.i32(descriptor.selector))).reduce((x, y) => b.or(x, y));
}

/** 1 when a selector (i32) names a readable segment: all that there are. */
export function isReadable(b: OpBuilder, selector: Value): Value {
  return chosen(b, selector, DESCRIPTORS);
}

export function isWritable(b: OpBuilder, selector: Value): Value {
  return chosen(
    b,
    selector,
    DESCRIPTORS.filter(({ writable }) => writable),
  );
}

/** 1 when a selector is null: indices 0 to 3. */
export function isNull(b: OpBuilder, selector: Value): Value {
  return b.eqz(b.and(selector, b.i32(0xfffc)));
}

/** A field of the descriptor that a selector names; meaningless for a selector that names none. */
export function descriptorField(b: OpBuilder, selector: Value, field: 'rights' | 'limit'): Value {
  const index = b.and(selector, b.i32(0xfffc));
  return DESCRIPTORS.reduce(
    (rest, descriptor) => b.select(b.eq(index, b.i32(descriptor.selector)), b.i32(descriptor[field]), rest),
    b.i32(0),
  );
}
