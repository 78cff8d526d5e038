/**
 * How eagerly V8 optimises JavaScript and WebAssembly. Its first compiler (Liftoff) is fast; its second one (TurboFan) needs a tenth of a second for the interpreter
 * alone, which is more than most short programs run. V8 counts bytes of code that a function has jumped over, so big functions with a loop are optimised
 * at once. Flags take effect for modules that are made while they are set.
 */
import { setFlagsFromString } from 'node:v8';

const FLAGS = ['wasm-tier-up', 'wasm-dynamic-tiering', 'wasm-lazy-compilation'];

/** Of a WebAssembly function until it is optimised, in bytes of its code: V8's own, and more for modules whose big functions run seldom. */
const BUDGET = { usual: 1_800_000, high: 200_000_000 } as const;

/** The same of a JavaScript function, in bytes of bytecode. */
const SCRIPT_BUDGET = { usual: 67_584, high: 350_000 } as const;

/** JavaScript is optimised late until the first `optimisesScripts`: in a short run that costs more than it brings (0.04 of 0.2 s). A function waits out what it was given. */
export function optimisesScriptsLate(): void {
  setFlagsFromString(`--interrupt-budget=${SCRIPT_BUDGET.high}`);
}

export function optimisesScripts(): void {
  setFlagsFromString(`--interrupt-budget=${SCRIPT_BUDGET.usual}`);
}

/** Functions of modules that `make` makes are optimised later than usual. */
export function optimisedLate<T>(make: () => T): T {
  setFlagsFromString(`--wasm-tiering-budget=${BUDGET.high}`);
  try {
    return make();
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${BUDGET.usual}`);
  }
}

/** Modules that `make` makes stay as the first compiler leaves them. */
export function compiledOnce<T>(make: () => T): T {
  for (const flag of FLAGS) setFlagsFromString(`--no-${flag}`);
  try {
    return make();
  } finally {
    for (const flag of FLAGS) setFlagsFromString(`--${flag}`);
  }
}
