/** Every IR subroutine of x86-64. */
import type { Subroutine } from '../ir/subroutine.js';
import { eflagsOf } from './flags.js';

export const SUBROUTINES: readonly Subroutine[] = [eflagsOf];
