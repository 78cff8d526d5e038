/** Every subroutine of the x87. */
import type { Subroutine } from '../../ir/subroutine.js';
import { arctangentSubroutines } from './arctangent.js';
import { arithmeticSubroutines } from './arithmetic.js';
import { compareSubroutines } from './compare.js';
import { controlSubroutines } from './control.js';
import { decimalSubroutines } from './decimal.js';
import { exponentialSubroutines } from './exponential.js';
import { extendSubroutines } from './extended.js';
import { fractionSubroutines } from './fraction.js';
import { loadSubroutines } from './load.js';
import { logarithmSubroutines } from './logarithm.js';
import { remainderSubroutines } from './remainder.js';
import { scaleSubroutines } from './scale.js';
import { stackSubroutines } from './stack.js';
import { storeSubroutines } from './store.js';
import { trigonometricSubroutines } from './trigonometric.js';

export const x87Subroutines: readonly Subroutine[] = [
  ...stackSubroutines,
  ...extendSubroutines,
  ...arithmeticSubroutines,
  ...compareSubroutines,
  ...loadSubroutines,
  ...storeSubroutines,
  ...controlSubroutines,
  ...scaleSubroutines,
  ...remainderSubroutines,
  ...decimalSubroutines,
  ...fractionSubroutines,
  ...exponentialSubroutines,
  ...logarithmSubroutines,
  ...arctangentSubroutines,
  ...trigonometricSubroutines,
];
