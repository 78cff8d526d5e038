/** Subroutines alone, compiled into a module, with one CPU struct: for tests that call them as JavaScript functions. */
import { buildSubroutine, type Subroutine } from '../../../src/emulator/ir/subroutine.js';
import { FunctionWriter } from '../../../src/emulator/wasm/function-writer.js';
import { ModuleWriter } from '../../../src/emulator/wasm/module-writer.js';

const PAGES = 4;
/** Address of the CPU struct. */
const CPU = 0x1_0000;

export type Scalar = number | bigint;
export type SubroutineFunction = (...args: Scalar[]) => Scalar | Scalar[] | undefined;

export interface SubroutineModule {
  /** The CPU struct. */
  readonly cpu: DataView;
  /** A subroutine as a function: parameters and results without the CPU struct. No v128 passes this border. */
  fn(sub: Subroutine): SubroutineFunction;
}

export function subroutineModule(subroutines: readonly Subroutine[]): SubroutineModule {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const module = new ModuleWriter(PAGES);
  const all: Subroutine[] = [...subroutines];
  const writers: FunctionWriter[] = [];
  const indexOf = (sub: Subroutine): number => {
    const known = all.indexOf(sub);
    return known >= 0 ? known : all.push(sub) - 1;
  };
  // Grows while subroutines name those that they call.
  for (let i = 0; i < all.length; i++) {
    const sub = all[i] as Subroutine;
    const writer = new FunctionWriter(['i32', ...sub.params], sub.results);
    buildSubroutine(sub, writer, indexOf);
    writers.push(writer);
  }
  for (const [i, sub] of all.entries()) module.function(writers[i] as FunctionWriter, sub.name);
  const bytes = new Uint8Array(module.encode());
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return {
    cpu: new DataView(memory.buffer, CPU, 4096),
    fn: (sub) => {
      const exported = instance.exports[sub.name] as SubroutineFunction;
      return (...args) => exported(CPU, ...args);
    },
  };
}
