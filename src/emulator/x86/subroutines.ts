/** Every IR subroutine of x86-64. */
import type { Subroutine } from '../ir/subroutine.js';
import { eflagsOf } from './flags.js';
import { softfloatSubroutines } from './softfloat/subroutines.js';
import { vectorSubroutines } from './vector/subroutines.js';
import { x87Subroutines } from './x87/subroutines.js';

export const SUBROUTINES: readonly Subroutine[] = [
  eflagsOf,
  ...softfloatSubroutines,
  ...vectorSubroutines,
  ...x87Subroutines,
];
