/**
 * The IR subroutines of an architecture as WebAssembly functions, each compiled when code first needs it: most programs use a few of hundreds.
 * They are called through a table by the interpreter and imported by compiled code.
 */
import { buildSubroutine, type Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { FunctionWriter } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';

export class SubroutineLibrary {
  /** By the subroutine's place in the architecture's list. */
  readonly table: WebAssembly.Table;
  private readonly places = new Map<Subroutine, number>();
  private readonly compiled = new Map<Subroutine, WebAssembly.ExportValue>();

  constructor(
    subroutines: readonly Subroutine[],
    private readonly physical: PhysicalMemory,
  ) {
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: Math.max(1, subroutines.length) });
    for (const [i, sub] of subroutines.entries()) this.places.set(sub, i);
  }

  place(sub: Subroutine): number {
    const place = this.places.get(sub);
    if (place === undefined) throw new Error(`${sub.name} is not in the architecture's list of subroutines`);
    return place;
  }

  /** The subroutine's function, compiled now if it has not been. */
  readonly need = (sub: Subroutine): WebAssembly.ExportValue => {
    const known = this.compiled.get(sub);
    if (known !== undefined) return known;
    this.compile(sub);
    return this.compiled.get(sub) as WebAssembly.ExportValue;
  };

  /** Compiles a subroutine with all that it calls. */
  private compile(sub: Subroutine): void {
    const module = new ModuleWriter(this.physical.size / 0x1_0000);
    const fresh: Subroutine[] = [sub];
    const writers: FunctionWriter[] = [];
    const indexOf = (callee: Subroutine): number => {
      const known = fresh.indexOf(callee);
      return known >= 0 ? known : fresh.push(callee) - 1;
    };
    // Grows while subroutines name those that they call.
    for (let i = 0; i < fresh.length; i++) {
      const one = fresh[i] as Subroutine;
      const writer = new FunctionWriter(['i32', ...one.params], one.results);
      buildSubroutine(one, writer, indexOf);
      writers.push(writer);
    }
    for (const [i, writer] of writers.entries()) module.function(writer, `f${i}`);
    const env = { memory: this.physical.memory };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.encode())), { env });
    for (const [i, one] of fresh.entries()) this.keep(one, exports[`f${i}`] as WebAssembly.ExportValue);
  }

  private keep(sub: Subroutine, code: WebAssembly.ExportValue): void {
    if (this.compiled.has(sub)) return;
    this.compiled.set(sub, code);
    const place = this.places.get(sub);
    if (place !== undefined) this.table.set(place, code);
  }
}
