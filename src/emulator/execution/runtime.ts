/**
 * What runs guest code: the interpreter and the dispatcher in one WebAssembly module over the physical memory, made once for a machine, and beside it
 * what is made when it is first needed: the logging interpreter and the IR subroutines.
 */
import { SLOT } from '../../register-set.js';
import { compiledOnce, optimisesScripts } from '../../wasm-engine.js';
import type { GuestArch } from '../guest-arch.js';
import type { HostCache } from '../host/host.js';
import { findJump, type InterpreterParts, writeInterpreter } from '../interp/generate.js';
import { type MemoryFunctions, memorySubroutines } from '../interp/memory-functions.js';
import { buildSubroutine, type Subroutine } from '../ir/subroutine.js';
import { JUMP_ENTRY, JUMP_REGION } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { EXIT } from '../stop.js';
import { FunctionWriter } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import { Pack } from './pack.js';
import { SubroutineLibrary } from './subroutine-library.js';

type Scalar = number | bigint;
type Run = (cpu: number, pc: number) => number;
export type AskHook = (cpu: number, number: number) => number;

export interface Runtime {
  /** Runs code until it has to come back (EXIT.*): interpreter code at physical address `pc`, or what the jump cache knows at ip when `pc` is 0. */
  readonly run: Run;
  /** This run is long enough that V8's second compiler pays, for the interpreter and for JavaScript. */
  optimise(): void;
  /** The same as `run` in the logging interpreter, which never enters compiled code; `pc` is not 0. */
  readonly log: Run;
  /** Calls a subroutine; no v128 passes this border. */
  call(sub: Subroutine, cpu: number, ...args: Scalar[]): Scalar;
  /** A subroutine's exported function, for modules that import it; from now on interpreted code may call it. */
  readonly subroutine: (sub: Subroutine) => WebAssembly.ExportValue;
  /** Asks about a hook's hit: (cpu, number) -> EXIT.*, or 0 when it passes. */
  readonly askHook: AskHook;
  /** Compiled regions by number; 0 is never one. Each is (cpu: i32, entry: i32) -> i32 (EXIT.*). */
  readonly regions: WebAssembly.Table;
}

/** Functions that the dispatcher can call. More would make it slower to instantiate, less evicts regions. */
export const REGION_TABLE_SIZE = 16_384;

/** Section 0, two bytes: a name of one letter. */
const EMPTY_CUSTOM_SECTION = [0x00, 0x02, 0x01, 0x6f];

/** A module with an interpreter in it. */
class InterpreterModule {
  readonly module: ModuleWriter;
  private readonly subroutineTable: number;
  private readonly regionTable: number;
  private readonly deciderTable: number;
  private readonly askHook: number;

  constructor(
    private readonly arch: GuestArch,
    private readonly library: SubroutineLibrary,
    pages: number,
  ) {
    this.module = new ModuleWriter(pages);
    this.subroutineTable = this.module.importTable('subroutines');
    this.regionTable = this.module.importTable('regions');
    this.deciderTable = this.module.importTable('deciders');
    this.askHook = this.module.import('askHook', ['i32', 'i32'], ['i32']);
  }

  /** interpret(cpu, pc) -> EXIT.*; its function index. */
  interpreter(logging: boolean): number {
    const entries = Object.entries(memorySubroutines(logging)).map(([name, sub]) => [name, this.memoryFunction(sub)]);
    const parts: InterpreterParts = {
      memory: Object.fromEntries(entries) as MemoryFunctions,
      callSubroutine: (w, sub) => {
        w.i32(this.library.place(sub));
        w.callIndirect(this.module.type(['i32', ...sub.params], sub.results), this.subroutineTable);
      },
      callDecider: (w) => w.callIndirect(this.module.type(['i32', 'i32'], ['i32']), this.deciderTable),
      askHook: this.askHook,
    };
    return this.module.function(writeInterpreter(parts, this.arch.subroutines), 'interpret');
  }

  private memoryFunction(sub: Subroutine): number {
    const writer = new FunctionWriter(['i32', ...sub.params], sub.results);
    buildSubroutine(sub, writer, (callee) => {
      throw new Error(`${sub.name} calls ${callee.name}`);
    });
    return this.module.function(writer);
  }

  /** run(cpu, pc) -> EXIT.*: regions and interpreter take turns until one of them needs JavaScript. */
  dispatcher(interpret: number): void {
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
    this.module.function(w, 'run');
  }

  private enterKnownCode(
    w: FunctionWriter,
    { cpu, ip, entry, kind }: Record<'cpu' | 'ip' | 'entry' | 'kind', number>,
    interpret: number,
  ): void {
    w.get(cpu);
    w.memory([0x29], SLOT.RIP);
    w.set(ip);
    findJump(w, cpu, ip, entry);
    w.op(0x45);
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
    w.callIndirect(this.module.type(['i32', 'i32'], ['i32']), this.regionTable);
    w.set(kind);
    w.else();
    w.get(cpu);
    load(JUMP_ENTRY);
    w.call(interpret);
    w.set(kind);
    w.end();
  }
}

/** Makes the runtime of an architecture and puts its constant tables into the physical memory. */
export function createRuntime(
  arch: GuestArch,
  physical: PhysicalMemory,
  { deciders, askHook }: { readonly deciders: WebAssembly.Table; readonly askHook: AskHook },
  cache?: HostCache,
): Runtime {
  for (const { address, bytes } of arch.tables) physical.u8.set(bytes, address);
  const library = new SubroutineLibrary(arch.subroutines, physical, cache);
  const regions = new WebAssembly.Table({ element: 'anyfunc', initial: REGION_TABLE_SIZE });
  const pages = physical.size / 0x1_0000;
  const env = { memory: physical.memory, subroutines: library.table, regions, deciders, askHook };
  const modules = cache === undefined ? undefined : new Pack(cache, `interpreter-${pages}`);
  cache?.atEnd(() => modules?.save());
  const moduleBytes = (logging: boolean): Uint8Array<ArrayBuffer> => {
    let bytes = modules?.get(Number(logging));
    if (bytes === undefined) {
      const made = new InterpreterModule(arch, library, pages);
      const interpret = made.interpreter(logging);
      if (!logging) made.dispatcher(interpret);
      bytes = new Uint8Array(made.module.encode());
      modules?.add(Number(logging), bytes);
    }
    return bytes;
  };
  const instantiate = (bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports =>
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
  const main = moduleBytes(false);
  let run = compiledOnce(() => instantiate(main).run as Run);
  let isOptimised = false;
  let log: Run | undefined;
  return {
    run: (cpu, pc) => run(cpu, pc),
    optimise: () => {
      if (isOptimised) return;
      isOptimised = true;
      optimisesScripts();
      // V8 knows a module by its bytes: the same ones would be the same code.
      run = instantiate(withSection(main)).run as Run;
    },
    log: (cpu, pc) => {
      log ??= instantiate(moduleBytes(true)).interpret as Run;
      return log(cpu, pc);
    },
    call: (sub, cpu, ...args) => (library.need(sub) as (...all: Scalar[]) => Scalar)(cpu, ...args),
    subroutine: library.need,
    askHook,
    regions,
  };
}

function withSection(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(module.length + EMPTY_CUSTOM_SECTION.length);
  longer.set(module);
  longer.set(EMPTY_CUSTOM_SECTION, module.length);
  return longer;
}
