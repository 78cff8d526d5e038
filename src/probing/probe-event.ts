/** One hit of an event, with everything that can be asked of it. */

import type { Hit } from '../uprobes/uprobe.js';
import type { StackFrame } from './call-stack.js';
import { BUILTINS, type Builtin, type EventSpec } from './event-spec.js';
import { type Expression, isTrue, type Scope, type Value } from './expression.js';
import {
  type FetchArg,
  type FetchContext,
  type Fetched,
  type FetchType,
  fetchArg,
  formatFetched,
  type Source,
  typeOf,
} from './fetch-arg.js';
import type { ProbeSite } from './sites.js';

/** What a session knows of the hit beside its registers and memory. */
export interface EventFacts extends FetchContext {
  readonly site: ProbeSite;
  /** Virtual ns since the machine started. */
  readonly time: number;
  /** Of a return: virtual ns since the call. */
  readonly duration: number | undefined;
  /** Of a return: where the called function begins. */
  readonly calledAddress: number | undefined;
  stack(limit?: number): readonly StackFrame[];
}

/** Valid while the handler that got it runs: until it returns, or until its promise resolves. */
export class ProbeEvent implements Scope {
  constructor(
    readonly spec: EventSpec,
    private readonly facts: EventFacts,
  ) {}

  /** Registers and memory of the thread. */
  get hit(): Hit {
    return this.facts.hit;
  }

  /** Which of the event's places was hit. */
  get site(): ProbeSite {
    return this.facts.site;
  }

  get pid(): number {
    return this.hit.thread.process.pid;
  }

  get tid(): number {
    return this.hit.thread.tid;
  }

  /** The thread's name. */
  get comm(): string {
    return this.facts.comm;
  }

  /** Virtual ns since the machine started: one for each instruction. */
  get time(): number {
    return this.facts.time;
  }

  /** Of a return: virtual ns since the call; undefined when the call was not seen. */
  get duration(): number | undefined {
    return this.facts.duration;
  }

  /** Of a return: where the function is that was called. */
  get calledAddress(): number {
    return this.facts.calledAddress ?? this.hit.address;
  }

  /** The event's arguments by name; those of a USDT probe as arg1, arg2 ... when none are named. */
  get args(): Readonly<Record<string, Fetched>> {
    return Object.fromEntries(this.fields.map((arg) => [arg.name, fetchArg(arg, this.facts)]));
  }

  /** `size=32 path="/etc"`: one text for each argument. */
  get texts(): readonly string[] {
    return this.fields.map((arg) => `${arg.name}=${this.textOf(arg)}`);
  }

  /** Where the thread is, and who called: from the innermost frame outwards. */
  stack(limit?: number): readonly StackFrame[] {
    return this.facts.stack(limit);
  }

  field(name: string): Fetched {
    const arg = this.argNamed(name);
    return arg === undefined ? this.builtin(name as Builtin) : fetchArg(arg, this.facts);
  }

  fetch(source: Source, type: FetchType | undefined): Fetched {
    return fetchArg({ source, type }, this.facts);
  }

  evaluate(expression: Expression): Value {
    return expression.evaluate(this);
  }

  /** Is the event's own condition true here? */
  get counts(): boolean {
    const { condition } = this.spec;
    return condition === undefined || isTrue(condition.evaluate(this));
  }

  /** An expression's value as text: a bare argument as its type wants, strings without quotes. */
  show(expression: Expression): string {
    const { bare } = expression;
    const arg = bare === undefined ? undefined : 'name' in bare ? this.argNamed(bare.name) : bare;
    if (arg !== undefined) {
      const value = fetchArg(arg, this.facts);
      return typeof value === 'string' ? value : formatFetched(typeOf(arg, this.facts), value);
    }
    const value = expression.evaluate(this);
    return value === undefined ? '(fault)' : String(value);
  }

  private textOf(arg: FetchArg): string {
    return formatFetched(typeOf(arg, this.facts), fetchArg(arg, this.facts));
  }

  private argNamed(name: string): FetchArg | undefined {
    return this.fields.find((arg) => arg.name === name);
  }

  private get fields(): readonly FetchArg[] {
    const { args } = this.spec;
    const { operands } = this.facts;
    if (args.length > 0 || operands === undefined) return args;
    return operands.map((_, index) => ({
      name: `arg${index + 1}`,
      source: { kind: 'argument', index },
      type: undefined,
    }));
  }

  private builtin(name: Builtin): Fetched {
    switch (name) {
      case 'comm':
        return this.comm;
      case 'pid':
        return BigInt(this.pid);
      case 'tid':
        return BigInt(this.tid);
      case 'address':
        return BigInt(this.hit.address);
      case 'time':
        return BigInt(this.time);
      case 'probe':
        return this.spec.name;
      case 'duration':
        return this.duration === undefined ? undefined : BigInt(this.duration);
      default:
        throw new Error(`no field ${name satisfies never} among ${BUILTINS.join(', ')}`);
    }
  }
}
