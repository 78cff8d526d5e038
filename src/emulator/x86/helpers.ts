/** Instructions that JavaScript executes: cold ones that report on the processor. */
import type { HelperRow } from '../guest-arch.js';

export const HELPERS: readonly HelperRow[] = [];

/** EXIT_INFO of a helper. Throws when there is none of that name. */
export function helperIndex(name: string): number {
  const index = HELPERS.findIndex((helper) => helper.name === name);
  if (index < 0) throw new Error(`no helper is named ${name}`);
  return index;
}
