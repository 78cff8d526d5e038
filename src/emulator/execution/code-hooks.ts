/**
 * The inline hooks of a machine: their numbers, counts and deciders. A hook that is no longer in place is kept for a while, because debuggers take their
 * breakpoints out at every stop and put the same ones in again: then the code that was translated with it is found again.
 */
import type { CodeHook, Decider } from '../executor.js';
import { buildSubroutine } from '../ir/subroutine.js';
import { HOOK_COUNTS_BASE, HOOK_COUNTS_SIZE } from '../memory/layout.js';
import type { PhysicalMemory } from '../memory/physical.js';
import { FunctionWriter } from '../wasm/function-writer.js';
import { ModuleWriter } from '../wasm/module-writer.js';
import { countsOf, deciderSubroutine, decisionsKey, type HookDecision, slotsRead } from './decider.js';

export type { HookDecision } from './decider.js';

/** Deciders at most: each is a module. Hooks beyond are asked for every time. */
export const DECIDER_TABLE_SIZE = 4096;
/** Hooks kept without being in place. */
const KEPT = 4096;
const COUNTS = HOOK_COUNTS_SIZE / 8;

/** `undefined` decisions: every hit is asked for. */
export type Decisions = readonly HookDecision[] | undefined;

export class Hook implements CodeHook {
  inPlace = true;
  /** The latest who has put it in place. */
  owner: object | undefined;

  constructor(
    readonly key: string,
    readonly bytes: Uint8Array,
    readonly number: number,
    /** Counts that it has, from `number` on. */
    readonly counts: number,
    readonly decider: Decider | undefined,
  ) {}
}

export class CodeHooks {
  /** Deciders by their slots, for the interpreter. */
  readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: DECIDER_TABLE_SIZE });
  private readonly byKey = new Map<string, Hook>();
  /** Looked at for every hit that is asked for. */
  private readonly byNumber: (Hook | undefined)[] = [];
  private readonly deciders = new Map<string, Decider | undefined>();
  /** Hooks that are not in place, the one that has been so longest first. */
  private readonly kept = new Set<Hook>();
  /** Numbers given back, by how many counts belong to them. */
  private readonly free = new Map<number, number[]>();
  private next = 0;
  private nextSlot = 1;

  constructor(private readonly physical: PhysicalMemory) {}

  /**
   * The hook for an instruction and what its consumers decide, to be put in place; undefined when there are too many. `place` tells address spaces
   * and addresses apart: each has its own counts.
   */
  acquire(place: string, bytes: Uint8Array, decisions: Decisions): Hook | undefined {
    const decider = decisions && this.decider(decisions);
    const counts = decider === undefined || decisions === undefined ? 1 : countsOf(decisions);
    const key = `${place} ${Buffer.from(bytes).toString('hex')} ${decider === undefined ? 'ask' : decisionsKey(decisions ?? [])}`;
    const known = this.byKey.get(key);
    if (known !== undefined) {
      known.inPlace = true;
      this.kept.delete(known);
      return known;
    }
    const number = this.allocate(counts);
    if (number === undefined) return undefined;
    const hook = new Hook(key, bytes, number, counts, decider);
    this.byKey.set(key, hook);
    this.byNumber[number] = hook;
    return hook;
  }

  /** It is not in place any more. Its counts have been taken. */
  release(hook: Hook): void {
    if (!hook.inPlace) throw new Error(`hook ${hook.number} is not in place`);
    hook.inPlace = false;
    this.kept.add(hook);
    const [oldest] = this.kept;
    if (this.kept.size > KEPT && oldest !== undefined) this.forget(oldest);
  }

  at(number: number): Hook {
    const hook = this.byNumber[number];
    if (hook === undefined) throw new Error(`there is no hook ${number}`);
    return hook;
  }

  /** What has been counted since the last time: hits that passed, then those of each count with a condition. */
  take({ number, counts }: Hook): readonly number[] {
    const { u32 } = this.physical;
    const taken: number[] = [];
    for (let i = 0; i < counts; i++) {
      const word = (HOOK_COUNTS_BASE + 8 * (number + i)) / 4;
      taken.push((u32[word + 1] as number) * 0x1_0000_0000 + (u32[word] as number));
      u32.fill(0, word, word + 2);
    }
    return taken;
  }

  private forget(hook: Hook): void {
    this.kept.delete(hook);
    this.byKey.delete(hook.key);
    this.byNumber[hook.number] = undefined;
    const others = this.free.get(hook.counts);
    if (others === undefined) this.free.set(hook.counts, [hook.number]);
    else others.push(hook.number);
  }

  private allocate(counts: number): number | undefined {
    const again = this.free.get(counts)?.pop();
    if (again !== undefined) return again;
    if (this.next + counts > COUNTS) return undefined;
    this.next += counts;
    return this.next - counts;
  }

  /** Decisions that are the same share one function; undefined: code cannot decide them. */
  private decider(decisions: readonly HookDecision[]): Decider | undefined {
    const key = decisionsKey(decisions);
    if (this.deciders.has(key)) return this.deciders.get(key);
    const made = this.compile(decisions);
    this.deciders.set(key, made);
    return made;
  }

  private compile(decisions: readonly HookDecision[]): Decider | undefined {
    const reads = slotsRead(decisions);
    if (reads === undefined || this.nextSlot === DECIDER_TABLE_SIZE) return undefined;
    const module = new ModuleWriter(this.physical.size / 0x1_0000);
    const writer = new FunctionWriter(['i32', 'i32'], ['i32']);
    buildSubroutine(deciderSubroutine(decisions), writer, () => {
      throw new Error('a decider calls nothing');
    });
    module.function(writer, 'decide');
    const env = { memory: this.physical.memory };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.encode())), { env });
    const code = exports.decide as WebAssembly.ExportValue;
    const slot = this.nextSlot++;
    this.table.set(slot, code);
    return { code, slot, reads };
  }
}
