/** Transcendental functions against values computed to 150 digits. */
import { expect, test } from 'vitest';
import type { Subroutine } from '../../../src/emulator/ir/subroutine.js';
import { arctangent } from '../../../src/emulator/x86/x87/arctangent.js';
import { exponential } from '../../../src/emulator/x86/x87/exponential.js';
import { logarithm, logarithmPlusOne } from '../../../src/emulator/x86/x87/logarithm.js';
import { push } from '../../../src/emulator/x86/x87/stack.js';
import { sineAndCosine, topCosine, topSine, topTangent } from '../../../src/emulator/x86/x87/trigonometric.js';
import { subroutineModule } from './subroutine-module.js';
import { CONTROL, extend, X87State } from './x87-state.js';

const BY_NAME: Readonly<Record<string, Subroutine>> = {
  f2xm1: exponential,
  fyl2x: logarithm,
  fyl2xp1: logarithmPlusOne,
  fpatan: arctangent,
  fsin: topSine,
  fcos: topCosine,
  fptan: topTangent,
  fsincos: sineAndCosine,
};
const PUSHING: ReadonlySet<string> = new Set(['fptan', 'fsincos']);

const module = subroutineModule([push, ...Object.values(BY_NAME)]);
const state = new X87State(module);

/** The function of x = ST(0), y = ST(1); the first of two results. */
function call(name: string, x: number, y: number): { number: [bigint, number]; status: number } {
  state.setUp(CONTROL, extend(x), extend(y));
  module.fn(BY_NAME[name] as Subroutine)();
  const { significand, signExponent } = state.st(PUSHING.has(name) ? 1 : 0);
  return { number: [significand, signExponent], status: state.status };
}

test.each<{ name: string; x: number; y: number; expected: [bigint, number] }>([
  { name: 'f2xm1', x: 0.5, y: 0, expected: [0xd413_cccf_e779_9211n, 0x3ffd] },
  { name: 'f2xm1', x: -0.75, y: 0, expected: [0xcf90_1f5c_e48e_ad21n, 0xbffd] },
  { name: 'f2xm1', x: 2 ** -70, y: 0, expected: [0xb172_17f7_d1cf_79acn, 0x3fb8] },
  { name: 'fyl2x', x: 10, y: 1, expected: [0xd49a_784b_cd1b_8afen, 0x4000] },
  { name: 'fyl2x', x: 0.7, y: -3, expected: [0xc598_99e7_0ddc_e30en, 0x3fff] },
  { name: 'fyl2x', x: 1 + 2 ** -40, y: 5, expected: [0xe6d4_c9f3_b2aa_8286n, 0x3fd9] },
  { name: 'fyl2xp1', x: 0.25, y: 2, expected: [0xa4d3_c25e_68dc_57f2n, 0x3ffe] },
  { name: 'fyl2xp1', x: -(2 ** -50), y: 1, expected: [0xb8aa_3b29_5c18_07d1n, 0xbfcd] },
  { name: 'fyl2xp1', x: 100.5, y: 1, expected: [0xd54a_6e8c_a543_8db2n, 0x4001] },
  { name: 'fpatan', x: 1, y: 1, expected: [0xc90f_daa2_2168_c235n, 0x3ffe] },
  { name: 'fpatan', x: -3, y: 0.125, expected: [0xc665_94ff_4b0a_0d48n, 0x4000] },
  { name: 'fpatan', x: 2 ** -60, y: -7, expected: [0xc90f_daa2_2168_c234n, 0xbfff] },
  { name: 'fpatan', x: 1, y: 2 ** -45, expected: [0x8000_0000_0000_0000n, 0x3fd2] },
  { name: 'fsin', x: 1, y: 0, expected: [0xd76a_a478_4867_7021n, 0x3ffe] },
  { name: 'fsin', x: -100.25, y: 0, expected: [0x8df8_04c0_6e1a_e1f2n, 0x3ffd] },
  { name: 'fcos', x: 1, y: 0, expected: [0x8a51_407d_a834_5c92n, 0x3ffe] },
  { name: 'fcos', x: 12345.678, y: 0, expected: [0xb5ca_61dd_f125_bf05n, 0x3ffe] },
  { name: 'fptan', x: 0.5, y: 0, expected: [0x8bda_7adf_9a3a_5219n, 0x3ffe] },
  { name: 'fptan', x: 2, y: 0, expected: [0x8bd7_b170_4a87_c1dan, 0xc000] },
  { name: 'fsincos', x: 1, y: 0, expected: [0xd76a_a478_4867_7021n, 0x3ffe] },
])('$name of $x (and $y)', ({ name, x, y, expected }) => {
  const { number, status } = call(name, x, y);
  expect(number).toEqual(expected);
  expect(status & 0x3f).toBe(0x20);
});

test.each<{ name: string; x: number; expected: [bigint, number] }>([
  { name: 'fsin', x: Math.PI, expected: [0x8d30_0000_0000_0000n, 0x3fca] },
  { name: 'fsin', x: 2 ** 62, expected: [0xb506_a9dd_559c_f157n, 0xbffe] },
])('$name of $x is reduced by a pi of 66 bits', ({ name, x, expected }) => {
  expect(call(name, x, 0).number).toEqual(expected);
});

test.each(['fsin', 'fcos', 'fptan', 'fsincos'])('%s leaves an argument of 2^63 and sets C2', (name) => {
  state.setUp(CONTROL, extend(2 ** 63));
  module.fn(BY_NAME[name] as Subroutine)();
  expect({ st0: state.st(0), status: state.status }).toEqual({ st0: extend(2 ** 63), status: 0x400 });
});

test.each([
  { name: 'fyl2x', x: 0, y: 1, status: 0x4 },
  { name: 'fyl2x', x: -1, y: 1, status: 0x1 },
  { name: 'fyl2x', x: 1, y: Number.POSITIVE_INFINITY, status: 0x1 },
  { name: 'fyl2xp1', x: 0, y: 1, status: 0 },
  { name: 'fpatan', x: 1, y: 0, status: 0 },
  { name: 'f2xm1', x: 1, y: 0, status: 0x220 },
  { name: 'fsin', x: Number.POSITIVE_INFINITY, y: 0, status: 0x1 },
  { name: 'fcos', x: 0, y: 0, status: 0 },
])('$name of $x (and $y) raises $status', ({ name, x, y, status }) => {
  expect(call(name, x, y).status).toBe(status);
});
