/** x87 control, environment and state: SDM vol. 1, 5.2.7, 5.2.8. The forms that do not wait ignore pending exceptions. */
import { Mnemonic } from '../../../iced-x86.js';
import { GPR, SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import { type InsnRow, type Lifter, row } from '../lifter.js';
import { initialize, setControl } from '../x87/control.js';
import { free, ROTATE } from '../x87/load.js';
import { pop } from '../x87/stack.js';
import { CONDITION_CODES } from '../x87/status.js';
import { implicit } from './x87.js';
import { stIndex, track, wait } from './x87-operands.js';

/** The status word with TOP in it. */
export function statusWord(b: Lifter): Value {
  return b.or(b.get(SLOT.FSW, 4), b.shl(b.get(SLOT.FTOP, 4), b.i32(11)));
}

/** FNSTSW AX, m16. */
function fnstsw(b: Lifter): void {
  const status = statusWord(b);
  if (b.isMemory(0)) b.store(b.address(0), 2, status);
  else b.setGpr(GPR.RAX, status, 2);
}

/** FLDCW. A new mask may make an old exception pending. */
function fldcw(b: Lifter): void {
  wait(b);
  b.call(setControl, b.load(b.address(0), 2));
}

/** FNCLEX: exception flags, stack fault, ES and B. */
function fnclex(b: Lifter): void {
  const kept = b.and(b.get(SLOT.FSW, 4), b.i32(CONDITION_CODES));
  b.set(SLOT.FSW, 4, kept);
}

/** FFREE; `pops`: FFREEP. */
function ffree(pops: boolean): (b: Lifter) => void {
  return (b) => {
    wait(b);
    b.call(free, b.i32(stIndex(b, 0)));
    if (pops) b.call(pop, b.i32(1));
    track(b);
  };
}

export const x87Control: readonly InsnRow[] = [
  row(Mnemonic.Wait, wait),
  row(Mnemonic.Fnop, (b) => {
    wait(b);
    track(b);
  }),
  row(Mnemonic.Fninit, (b) => {
    b.call(initialize);
  }),
  row(Mnemonic.Fnclex, fnclex),
  row(Mnemonic.Fldcw, fldcw),
  row(Mnemonic.Fnstcw, (b) => b.store(b.address(0), 2, b.get(SLOT.FCW, 4))),
  row(Mnemonic.Fnstsw, fnstsw),
  row(Mnemonic.Ffree, ffree(false)),
  row(Mnemonic.Ffreep, ffree(true)),
  row(Mnemonic.Fincstp, implicit(ROTATE.up)),
  row(Mnemonic.Fdecstp, implicit(ROTATE.down)),
  // The 8087's and 80287's own: no operation since the 80387.
  ...[Mnemonic.Fneni, Mnemonic.Fndisi, Mnemonic.Fnsetpm].map((mnemonic) => row(mnemonic, () => {})),
];
