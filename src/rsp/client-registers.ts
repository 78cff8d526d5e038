/**
 * The registers of a thread as one client knows them. One without XML (a gdb built without it, or told to do without: `set remote
 * target-features-packet off`) takes the layout of before target descriptions for granted, and a register beyond it for an error. As gdbserver does, we
 * take it that a client reads descriptions when it says so (`xmlRegisters=i386`) or reads ours.
 */
import type { RegisterRow } from '../register-set.js';
import type { Pid } from '../types.js';
import type { Client } from './client.js';
import type { Target } from './target.js';

/** What the layout of before has: AVX is all that came later, and its rows are the last ones. */
const isKnown = ({ feature }: RegisterRow): boolean => feature !== 'avx';

export function clientRegisters(client: Client, target: Target, pid: Pid): readonly RegisterRow[] {
  const rows = target.registers(pid);
  return client.readsDescriptions ? rows : rows.filter(isKnown);
}
