/**
 * The runtime module: interpreter, logging interpreter, dispatcher and every IR subroutine of the guest architecture in one WebAssembly module
 * over the physical memory. Made once for a machine.
 */
import { SLOT } from '../../register-set.js';
import type { GuestArch } from '../guest-arch.js';
import { jumpCacheEntry, writeInterpreter } from '../interp/generate.js';
import { type MemoryFunctions, memorySubroutines } from '../interp/memory-functions.js';
import { buildSubroutine, type Subroutine } from '../ir/subroutine.js';
import { JUMP_ENTRY, JUMP_REGION } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { EXIT } from '../stop.js';
import { FunctionWriter } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';

type Scalar = number | bigint;

export interface Runtime {
  /** Runs code until it has to come back (EXIT.*): interpreter code at physical address `pc`, or what the jump cache knows at ip when `pc` is 0. */
  run(cpu: number, pc: number): number;
  /** The same in the logging interpreter, which never enters compiled code; `pc` is not 0. */
  log(cpu: number, pc: number): number;
  /** Calls a subroutine; no v128 passes this border. */
  call(sub: Subroutine, cpu: number, ...args: Scalar[]): Scalar;
  /** A subroutine's exported function, for modules that import it. */
  subroutine(sub: Subroutine): WebAssembly.ExportValue;
  /** Compiled regions by number; 0 is never one. Each is (cpu: i32, entry: i32) -> i32 (EXIT.*). */
  readonly regions: WebAssembly.Table;
}

/** Functions that the dispatcher can call. More would make it slower to instantiate, less evicts regions. */
export const REGION_TABLE_SIZE = 16_384;

class RuntimeWriter {
  private readonly module: ModuleWriter;
  private readonly subroutines: Subroutine[];
  private readonly indices = new Map<Subroutine, number>();

  constructor(
    private readonly arch: GuestArch,
    pages: number,
  ) {
    this.module = new ModuleWriter(pages);
    this.module.importTable();
    this.subroutines = [...arch.subroutines];
    for (const [i, sub] of this.subroutines.entries()) this.indices.set(sub, i);
  }

  write(): Uint8Array {
    const plain = this.memoryFunctions(false);
    const logging = this.memoryFunctions(true);
    // Grows while subroutines name those that they call.
    const writers: FunctionWriter[] = [];
    for (let i = 0; i < this.subroutines.length; i++) {
      const sub = this.subroutines[i] as Subroutine;
      const writer = new FunctionWriter(['i32', ...sub.params], sub.results);
      buildSubroutine(sub, writer, (callee) => this.index(callee));
      writers.push(writer);
    }
    writers.forEach((writer, i) => {
      const at = this.module.function(writer, subroutineExport(i));
      if (at !== i) throw new Error(`subroutine ${i} became function ${at}`);
    });
    const interpret = this.interpreter(plain, 'interpret');
    this.interpreter(logging, 'log');
    this.module.function(this.dispatcher(interpret), 'run');
    return this.module.encode();
  }

  private index(sub: Subroutine): number {
    const known = this.indices.get(sub);
    if (known !== undefined) return known;
    const made = this.subroutines.push(sub) - 1;
    this.indices.set(sub, made);
    return made;
  }

  private memoryFunctions(logging: boolean): MemoryFunctions {
    const made = Object.entries(memorySubroutines(logging)).map(([name, sub]) => [name, this.index(sub)]);
    return Object.fromEntries(made) as MemoryFunctions;
  }

  private interpreter(memory: MemoryFunctions, name: string): number {
    const parts = { memory, subroutineIndex: (sub: Subroutine) => this.index(sub) };
    return this.module.function(writeInterpreter(parts, this.arch.subroutines), name);
  }

  /** run(cpu, pc) -> EXIT.*: regions and interpreter take turns until one of them needs JavaScript. */
  private dispatcher(interpret: number): FunctionWriter {
    const w = new FunctionWriter(['i32', 'i32'], ['i32']);
    const [cpu, pc] = [0, 1];
    const ip = w.local('i64');
    const entry = w.local('i32');
    const kind = w.local('i32');
    const next = w.loop();
    w.get(pc);
    w.if();
    w.get(cpu);
    w.get(pc);
    w.call(interpret);
    w.set(kind);
    w.else();
    this.enterKnownCode(w, { cpu, ip, entry, kind }, interpret);
    w.end();
    w.i32(0);
    w.set(pc);
    w.get(kind);
    w.op(0x45);
    w.brIf(next);
    w.end();
    w.get(kind);
    return w;
  }

  private enterKnownCode(
    w: FunctionWriter,
    { cpu, ip, entry, kind }: Record<'cpu' | 'ip' | 'entry' | 'kind', number>,
    interpret: number,
  ): void {
    w.get(cpu);
    w.memory([0x29], SLOT.RIP);
    w.set(ip);
    jumpCacheEntry(w, cpu, ip);
    w.tee(entry);
    w.memory([0x29], 0);
    w.get(ip);
    w.op(0x52);
    w.if();
    w.i32(EXIT.NO_CODE);
    w.return();
    w.end();
    const load = (offset: number): void => {
      w.get(entry);
      w.memory([0x28], offset);
    };
    load(JUMP_REGION);
    w.if();
    w.get(cpu);
    load(JUMP_ENTRY);
    load(JUMP_REGION);
    w.callIndirect(this.module.type(['i32', 'i32'], ['i32']));
    w.set(kind);
    w.else();
    w.get(cpu);
    load(JUMP_ENTRY);
    w.call(interpret);
    w.set(kind);
    w.end();
  }

  /** Index of a subroutine that is part of the module. */
  indexOf(sub: Subroutine): number {
    const index = this.indices.get(sub);
    if (index === undefined) throw new Error(`${sub.name} is not part of the runtime module`);
    return index;
  }
}

/** Makes the runtime of an architecture and puts its constant tables into the physical memory. */
export function createRuntime(arch: GuestArch, physical: PhysicalMemory): Runtime {
  for (const { address, bytes } of arch.tables) physical.u8.set(bytes, address);
  const writer = new RuntimeWriter(arch, physical.size / 0x1_0000);
  const bytes = writer.write();
  const regions = new WebAssembly.Table({ element: 'anyfunc', initial: REGION_TABLE_SIZE });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), {
    env: { memory: physical.memory, table: regions },
  });
  const subroutine = (sub: Subroutine): WebAssembly.ExportValue =>
    exports[subroutineExport(writer.indexOf(sub))] as WebAssembly.ExportValue;
  return {
    run: exports.run as Runtime['run'],
    log: exports.log as Runtime['log'],
    call: (sub, cpu, ...args) => (subroutine(sub) as (...all: Scalar[]) => Scalar)(cpu, ...args),
    subroutine,
    regions,
  };
}

function subroutineExport(index: number): string {
  return `s${index}`;
}
