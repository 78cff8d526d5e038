/** x86-64 as the emulator sees a guest architecture. */
import type { GuestArch } from '../guest-arch.js';
import { exception, pageFault, stepsItself, stepTrap } from './exceptions.js';
import { getFlags, setFlags } from './flags-register.js';
import { HELPERS } from './helpers.js';
import { explainUndefined, liftBlock } from './lift.js';
import { SUBROUTINES } from './subroutines.js';
import { TABLES } from './tables.js';

export const x86: GuestArch = {
  lift: liftBlock,
  subroutines: SUBROUTINES,
  helpers: HELPERS,
  tables: TABLES,
  getFlags,
  setFlags,
  exception,
  stepsItself,
  stepTrap,
  pageFault,
  explainUndefined,
};
