/** WebAssembly locals for values of one block, used again when the value is gone. */
import type { FunctionWriter, WasmType } from '../wasm/function-writer.js';

export class Temporaries {
  private readonly free = new Map<WasmType, number[]>();
  private readonly typeOf = new Map<number, WasmType>();

  constructor(private readonly w: FunctionWriter) {}

  take(type: WasmType): number {
    const known = this.free.get(type)?.pop();
    if (known !== undefined) return known;
    const made = this.w.local(type);
    this.typeOf.set(made, type);
    return made;
  }

  give(index: number): void {
    const type = this.typeOf.get(index);
    if (type === undefined) throw new Error(`local ${index} is no temporary`);
    const list = this.free.get(type);
    if (list === undefined) this.free.set(type, [index]);
    else list.push(index);
  }
}
