/**
 * Constant tables that subroutines look up, one after another from TABLES_BASE. Whoever sets the physical memory up copies them there
 * (GuestArch.tables) before any code runs.
 */
import type { ConstantTable } from '../guest-arch.js';
import { TABLES_BASE } from '../memory/layout.js';
import { APPROXIMATION_BYTES, RECIPROCAL, ROOT, ROOT_OF_DOUBLE } from './softfloat/approximation-tables.js';

/** Addresses, as offsets from zero in the physical memory. */
export const TABLE = {
  RECIPROCAL: TABLES_BASE,
  ROOT: TABLES_BASE + APPROXIMATION_BYTES,
  ROOT_OF_DOUBLE: TABLES_BASE + 2 * APPROXIMATION_BYTES,
} as const;

export const TABLES: readonly ConstantTable[] = [
  { address: TABLE.RECIPROCAL, bytes: RECIPROCAL },
  { address: TABLE.ROOT, bytes: ROOT },
  { address: TABLE.ROOT_OF_DOUBLE, bytes: ROOT_OF_DOUBLE },
];
