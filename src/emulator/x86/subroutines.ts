/** Every IR subroutine of x86-64. */
import type { Subroutine } from '../ir/subroutine.js';
import { eflagsOf } from './flags.js';
import { softfloatSubroutines } from './softfloat/subroutines.js';
import { x87Subroutines } from './x87/subroutines.js';

export const SUBROUTINES: readonly Subroutine[] = [eflagsOf, ...softfloatSubroutines, ...x87Subroutines];
