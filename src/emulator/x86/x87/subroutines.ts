/** Every subroutine of the x87. */
import type { Subroutine } from '../../ir/subroutine.js';
import { arithmeticSubroutines } from './arithmetic.js';
import { compareSubroutines } from './compare.js';
import { controlSubroutines } from './control.js';
import { decimalSubroutines } from './decimal.js';
import { extendSubroutines } from './extended.js';
import { loadSubroutines } from './load.js';
import { remainderSubroutines } from './remainder.js';
import { scaleSubroutines } from './scale.js';
import { stackSubroutines } from './stack.js';
import { storeSubroutines } from './store.js';

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
];
