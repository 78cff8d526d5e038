/** Every IR subroutine of x86-64. */
import type { Subroutine } from '../ir/subroutine.js';
import { bitSubroutines } from './bit-subroutines.js';
import { flagSubroutines } from './conditions.js';
import { softfloatSubroutines } from './softfloat/subroutines.js';
import { stringSubroutines } from './string-subroutines.js';
import { vectorSubroutines } from './vector/subroutines.js';
import { wideIntegerSubroutines } from './wide-integer.js';
import { x87Subroutines } from './x87/subroutines.js';

export const SUBROUTINES: readonly Subroutine[] = [
  ...flagSubroutines,
  ...wideIntegerSubroutines,
  ...bitSubroutines,
  ...stringSubroutines,
  ...softfloatSubroutines,
  ...vectorSubroutines,
  ...x87Subroutines,
];
