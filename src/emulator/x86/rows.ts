/** Every instruction that the emulator knows: the tables of lift/*.ts, one after another. */
import type { Mnemonic } from '../../iced-x86.js';
import { arithmetic } from './lift/arithmetic.js';
import { avxLanes } from './lift/avx-lanes.js';
import { avxMasked } from './lift/avx-masked.js';
import { bits } from './lift/bit.js';
import { bitManipulation } from './lift/bit-manipulation.js';
import { controlFlow } from './lift/control-flow.js';
import { dataMovement } from './lift/data-movement.js';
import { exchange } from './lift/exchange.js';
import { flagControl } from './lift/flag-control.js';
import { fusedRows } from './lift/fused.js';
import { multiplyDivide } from './lift/multiply-divide.js';
import { segments } from './lift/segment.js';
import { shifts } from './lift/shift.js';
import { sseFloat } from './lift/sse-float.js';
import { sseFloatConvert } from './lift/sse-float-convert.js';
import { sseFloatMmx } from './lift/sse-float-mmx.js';
import { strings } from './lift/string.js';
import { system } from './lift/system.js';
import { vectorArithmetic } from './lift/vector-arithmetic.js';
import { vectorCipher } from './lift/vector-cipher.js';
import { vectorElement } from './lift/vector-element.js';
import { vectorMoves } from './lift/vector-moves.js';
import { vectorShift } from './lift/vector-shift.js';
import { vectorShuffle } from './lift/vector-shuffle.js';
import { vectorStrings } from './lift/vector-strings.js';
import { x87 } from './lift/x87.js';
import { x87Control } from './lift/x87-control.js';
import { x87State } from './lift/x87-state.js';
import { xsaveRows } from './lift/xsave.js';
import type { InsnRow } from './lifter.js';

export const INSTRUCTIONS: readonly InsnRow[] = [
  ...dataMovement,
  ...arithmetic,
  ...controlFlow,
  ...bits,
  ...bitManipulation,
  ...exchange,
  ...flagControl,
  ...multiplyDivide,
  ...segments,
  ...shifts,
  ...system,
  ...sseFloat,
  ...sseFloatConvert,
  ...sseFloatMmx,
  ...vectorMoves,
  ...vectorArithmetic,
  ...vectorShift,
  ...vectorShuffle,
  ...vectorElement,
  ...vectorStrings,
  ...vectorCipher,
  ...avxLanes,
  ...avxMasked,
  ...fusedRows,
  ...x87,
  ...x87Control,
  ...x87State,
  ...xsaveRows,
];

/** Rows of string instructions, which share the mnemonics MOVSD and CMPSD with SSE2. */
export const STRING_INSTRUCTIONS: readonly InsnRow[] = strings;

/** Those with a VEX prefix that work on general registers: they need neither AVX nor XSAVE. */
export const BIT_MANIPULATION: ReadonlySet<Mnemonic> = new Set(bitManipulation.map(({ mnemonic }) => mnemonic));
