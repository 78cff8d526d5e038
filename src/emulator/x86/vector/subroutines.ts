/** Every subroutine of the vector instructions that compute no floating-point numbers. */
import type { Subroutine } from '../../ir/subroutine.js';
import { aesSubroutines } from './aes.js';
import { carrylessSubroutines } from './carryless.js';
import { shaSubroutines } from './sha.js';
import { stringCompareSubroutines } from './string-compare.js';

export const vectorSubroutines: readonly Subroutine[] = [
  ...aesSubroutines,
  ...carrylessSubroutines,
  ...shaSubroutines,
  ...stringCompareSubroutines,
];
