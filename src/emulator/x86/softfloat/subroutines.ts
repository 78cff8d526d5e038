/** Every subroutine of SSE floating point. */
import type { Subroutine } from '../../ir/subroutine.js';
import { approximationSubroutines } from './approximation.js';
import { SOFT } from './arithmetic.js';
import { compareSubroutines } from './compare.js';
import { convertSubroutines } from './convert.js';
import { fusedSubroutines } from './fused.js';
import { halfSubroutines } from './half.js';
import { horizontalSubroutines } from './horizontal.js';
import { integerSubroutines } from './integer.js';
import { integralSubroutines } from './integral.js';
import { magnitudeSubroutines } from './magnitude.js';
import { raise, settle } from './mxcsr.js';
import { operationSubroutines } from './operations.js';
import { packSubroutines } from './pack.js';

export const softfloatSubroutines: readonly Subroutine[] = [
  raise,
  settle,
  ...magnitudeSubroutines,
  ...packSubroutines,
  ...Object.values(SOFT.f32),
  ...Object.values(SOFT.f64),
  ...integerSubroutines,
  ...compareSubroutines,
  ...convertSubroutines,
  ...integralSubroutines,
  ...operationSubroutines,
  ...horizontalSubroutines,
  ...fusedSubroutines,
  ...halfSubroutines,
  ...approximationSubroutines,
];
