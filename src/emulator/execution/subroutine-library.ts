/**
 * The IR subroutines of an architecture as WebAssembly functions, each compiled when code first needs it: most programs use a few of hundreds.
 * They are called through a table by the interpreter and imported by compiled code.
 */
import type { HostCache } from '../host/host.js';
import { buildSubroutine, type Subroutine } from '../ir/subroutine.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { FunctionWriter } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import { Pack } from './pack.js';

/** Place of a subroutine that is not in the architecture's list. */
const NOWHERE = 0xffff;

interface SubroutineModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the exports f0, f1 ... */
  readonly subroutines: readonly (Subroutine | undefined)[];
}

export class SubroutineLibrary {
  /** By the subroutine's place in the architecture's list. */
  readonly table: WebAssembly.Table;
  private readonly places = new Map<Subroutine, number>();
  private readonly compiled = new Map<Subroutine, WebAssembly.ExportValue>();

  /** Modules of earlier runs by their first subroutine's place. */
  private readonly modules: Pack | undefined;

  constructor(
    private readonly subroutines: readonly Subroutine[],
    private readonly physical: PhysicalMemory,
    cache?: HostCache,
  ) {
    if (cache !== undefined) this.modules = new Pack(cache, `subroutines-${physical.size}`);
    cache?.atEnd(() => this.modules?.save());
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
    const place = this.places.get(sub);
    const { bytes, subroutines } = (place === undefined ? undefined : this.restore(place)) ?? this.write(sub);
    if (place !== undefined) this.store(place, bytes, subroutines);
    const env = { memory: this.physical.memory };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    for (const [i, one] of subroutines.entries()) {
      if (one !== undefined) this.keep(one, exports[`f${i}`] as WebAssembly.ExportValue);
    }
  }

  private write(sub: Subroutine): SubroutineModule {
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
    return { bytes: new Uint8Array(module.encode()), subroutines: fresh };
  }

  /** The module that an earlier run wrote: u16 count, u16 place[count] of its subroutines (NOWHERE: called by others only), the module. */
  private restore(place: number): SubroutineModule | undefined {
    const piece = this.modules?.get(place);
    if (piece === undefined) return undefined;
    const [count = 0] = new Uint16Array(piece.buffer, piece.byteOffset, 1);
    const places = new Uint16Array(piece.buffer, piece.byteOffset + 2, count);
    return { bytes: piece.subarray(2 + 2 * count), subroutines: Array.from(places, (at) => this.subroutines[at]) };
  }

  private store(place: number, bytes: Uint8Array<ArrayBuffer>, subroutines: SubroutineModule['subroutines']): void {
    if (this.modules === undefined || this.modules.get(place) !== undefined) return;
    const places = subroutines.map((one) => (one && this.places.get(one)) ?? NOWHERE);
    const head = Uint16Array.of(places.length, ...places);
    const piece = new Uint8Array(head.byteLength + bytes.length);
    piece.set(new Uint8Array(head.buffer));
    piece.set(bytes, head.byteLength);
    this.modules.add(place, piece);
  }

  private keep(sub: Subroutine, code: WebAssembly.ExportValue): void {
    if (this.compiled.has(sub)) return;
    this.compiled.set(sub, code);
    const place = this.places.get(sub);
    if (place !== undefined) this.table.set(place, code);
  }
}
