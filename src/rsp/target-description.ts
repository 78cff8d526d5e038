/**
 * target.xml out of the register rows: one self-contained document, features and types as gdbserver sends them for x86-64 Linux
 * (gdb manual, "Target Description Format"; features "i386 Features"). gdb lays out `g` by it, so it must follow the same rows.
 */

import type { RegisterFeature, RegisterRow } from '../register-set.js';
import { lldbAttributes } from './lldb-registers.js';

const EFLAGS = [
  ['CF', 0], ['', 1], ['PF', 2], ['AF', 4], ['ZF', 6], ['SF', 7], ['TF', 8], ['IF', 9], ['DF', 10], ['OF', 11], ['NT', 14], ['RF', 16],
  ['VM', 17], ['AC', 18], ['VIF', 19], ['VIP', 20], ['ID', 21],
] as const; // biome-ignore format: a table

const MXCSR = [
  ['IE', 0], ['DE', 1], ['ZE', 2], ['OE', 3], ['UE', 4], ['PE', 5], ['DAZ', 6], ['IM', 7], ['DM', 8], ['ZM', 9], ['OM', 10], ['UM', 11],
  ['PM', 12], ['FZ', 15],
] as const; // biome-ignore format: a table

/** Views of a 128-bit vector: field of the union, name of the vector type, element type, count. */
const VIEWS_128 = [
  ['v8_bfloat16', 'v8bf16', 'bfloat16', 8],
  ['v8_half', 'v8h', 'ieee_half', 8],
  ['v4_float', 'v4f', 'ieee_single', 4],
  ['v2_double', 'v2d', 'ieee_double', 2],
  ['v16_int8', 'v16i8', 'int8', 16],
  ['v8_int16', 'v8i16', 'int16', 8],
  ['v4_int32', 'v4i32', 'int32', 4],
  ['v2_int64', 'v2i64', 'int64', 2],
] as const;

/** The types that a feature's registers use, beyond gdb's own. */
const TYPES: Record<RegisterFeature, readonly string[]> = {
  core: flags('i386_eflags', EFLAGS),
  sse: [...vec128(), ...flags('i386_mxcsr', MXCSR)],
  linux: [],
  segments: [],
  avx: [],
};

/** `forLldb`: with what lldb asks of each register; gdb would read it to no purpose. */
export function targetDescription(rows: readonly RegisterRow[], forLldb = false): string {
  const attributes = forLldb ? lldbAttributes : (): string => '';
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    '<target>',
    '  <architecture>i386:x86-64</architecture>',
    '  <osabi>GNU/Linux</osabi>',
    ...featuresOf(rows).flatMap((name) => feature(name, rows, attributes)),
    '</target>',
    '',
  ].join('\n');
}

/** The features in the order of their first rows. A feature's rows must be neighbours, or the numbers would not be the order of `g`. */
function featuresOf(rows: readonly RegisterRow[]): readonly RegisterFeature[] {
  const names = rows.map((row) => row.feature).filter((name, i, all) => name !== all[i - 1]);
  if (new Set(names).size !== names.length) throw new Error(`registers of one feature are apart: ${names.join(' ')}`);
  return names;
}

function feature(
  name: RegisterFeature,
  rows: readonly RegisterRow[],
  attributes: (row: RegisterRow) => string,
): readonly string[] {
  const registers = rows.filter((row) => row.feature === name).map((row) => register(row, attributes(row)));
  const lines = [...TYPES[name], ...registers].map((line) => `    ${line}`);
  return [`  <feature name="org.gnu.gdb.i386.${name}">`, ...lines, '  </feature>'];
}

function register({ name, bits, type, number, group }: RegisterRow, attributes: string): string {
  const ofGroup = group === undefined ? '' : ` group="${group}"`;
  return `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${number}"${ofGroup}${attributes}/>`;
}

function flags(id: string, fields: readonly (readonly [name: string, bit: number])[]): readonly string[] {
  const rows = fields.map(([name, bit]) => `  <field name="${name}" start="${bit}" end="${bit}" type="bool"/>`);
  return [`<flags id="${id}" size="4">`, ...rows, '</flags>'];
}

function vec128(): readonly string[] {
  return [
    ...VIEWS_128.map(([, id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`),
    '<union id="vec128">',
    ...VIEWS_128.map(([field, id]) => `  <field name="${field}" type="${id}"/>`),
    '  <field name="uint128" type="uint128"/>',
    '</union>',
  ];
}
