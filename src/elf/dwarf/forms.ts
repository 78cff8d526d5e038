/** Attribute forms of DWARF 2 to 5 and the GNU extensions (DWARF 5, 7.5.6): how each is read, or passed over. */
import type { DwarfCursor } from './cursor.js';

export interface FormContext {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/**
 * What an attribute holds.
 * - number: constants, flags, addresses, offsets into the unit
 * - string: written in place
 * - offset: into a section: `str`, `lineStr`, or whatever the attribute says
 * - index: into a table that the unit names (addresses, strings, range lists)
 * - skipped: of no use here
 */
export type FormValue =
  | { readonly kind: 'number' | 'string' | 'skipped'; readonly value: number | string }
  | { readonly kind: 'str' | 'lineStr' | 'section'; readonly value: number }
  | { readonly kind: 'addressIndex' | 'stringIndex' | 'listIndex'; readonly value: number };

type Read = (cursor: DwarfCursor, context: FormContext) => FormValue;

const fixed =
  (size: number): Read =>
  (cursor) => ({ kind: 'number', value: cursor.uint(size) });
const skip =
  (size: number): Read =>
  (cursor) => {
    cursor.skip(size);
    return SKIPPED;
  };
const block =
  (length: (cursor: DwarfCursor) => number): Read =>
  (cursor) => {
    cursor.skip(length(cursor));
    return SKIPPED;
  };
const offset =
  (kind: 'str' | 'lineStr' | 'section'): Read =>
  (cursor, { offsetSize }) => ({ kind, value: cursor.uint(offsetSize) });
const index =
  (kind: 'addressIndex' | 'stringIndex' | 'listIndex', size?: number): Read =>
  (cursor) => ({ kind, value: size === undefined ? cursor.uleb() : cursor.uint(size) });
const other: Read = (cursor, { offsetSize }) => {
  cursor.skip(offsetSize);
  return SKIPPED;
};

const SKIPPED: FormValue = { kind: 'skipped', value: 0 };
const IMPLICIT_CONST = 0x21;
const INDIRECT = 0x16;

const FORMS: ReadonlyMap<number, Read> = new Map<number, Read>([
  [0x01, (cursor, { addressSize }) => ({ kind: 'number', value: cursor.uint(addressSize) })], // addr
  [0x03, block((cursor) => cursor.u16())], // block2
  [0x04, block((cursor) => cursor.u32())], // block4
  [0x05, fixed(2)], // data2
  // Before DWARF 4 offsets into sections had these forms, too.
  [0x06, fixed(4)], // data4
  [0x07, fixed(8)], // data8
  [0x08, (cursor) => ({ kind: 'string', value: cursor.string() })], // string
  [0x09, block((cursor) => cursor.uleb())], // block
  [0x0a, block((cursor) => cursor.u8())], // block1
  [0x0b, fixed(1)], // data1
  [0x0c, fixed(1)], // flag
  [0x0d, (cursor) => ({ kind: 'number', value: cursor.sleb() })], // sdata
  [0x0e, offset('str')], // strp
  [0x0f, (cursor) => ({ kind: 'number', value: cursor.uleb() })], // udata
  // Version 2 had addresses here.
  [
    0x10,
    (cursor, { version, addressSize, offsetSize }) => ({
      kind: 'section',
      value: cursor.uint(version <= 2 ? addressSize : offsetSize),
    }),
  ], // ref_addr
  [0x11, fixed(1)], // ref1
  [0x12, fixed(2)], // ref2
  [0x13, fixed(4)], // ref4
  [0x14, fixed(8)], // ref8
  [0x15, (cursor) => ({ kind: 'number', value: cursor.uleb() })], // ref_udata
  [0x17, offset('section')], // sec_offset
  [0x18, block((cursor) => cursor.uleb())], // exprloc
  [0x19, () => ({ kind: 'number', value: 1 })], // flag_present
  [0x1a, index('stringIndex')], // strx
  [0x1b, index('addressIndex')], // addrx
  [0x1c, skip(4)], // ref_sup4
  [0x1d, other], // strp_sup
  [0x1e, skip(16)], // data16
  [0x1f, offset('lineStr')], // line_strp
  [0x20, skip(8)], // ref_sig8
  [0x22, index('listIndex')], // loclistx
  [0x23, index('listIndex')], // rnglistx
  [0x24, skip(8)], // ref_sup8
  [0x25, index('stringIndex', 1)],
  [0x26, index('stringIndex', 2)],
  [0x27, index('stringIndex', 3)],
  [0x28, index('stringIndex', 4)],
  [0x29, index('addressIndex', 1)],
  [0x2a, index('addressIndex', 2)],
  [0x2b, index('addressIndex', 3)],
  [0x2c, index('addressIndex', 4)],
  [0x1f01, index('addressIndex')], // GNU_addr_index
  [0x1f02, index('stringIndex')], // GNU_str_index
  [0x1f20, other], // GNU_ref_alt
  [0x1f21, other], // GNU_strp_alt
]);

/** `implicit`: the value that the abbreviation holds. Throws a RangeError for a form that nobody knows: what follows cannot be found. */
export function readForm(form: number, cursor: DwarfCursor, context: FormContext, implicit = 0): FormValue {
  if (form === IMPLICIT_CONST) return { kind: 'number', value: implicit };
  if (form === INDIRECT) return readForm(cursor.uleb(), cursor, context);
  const read = FORMS.get(form);
  if (read === undefined) throw new RangeError(`unknown attribute form 0x${form.toString(16)}`);
  return read(cursor, context);
}
