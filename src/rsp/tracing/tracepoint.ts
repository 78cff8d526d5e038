/** Tracepoints as gdb defines them (`QTDP`, `QTDPsrc`; gdb manual, "Tracepoint Packets"). */
import { type AgentProgram, parseAgentExpression } from '../../agent-expression/program.js';
import type { PacketCursor } from '../packet-cursor.js';

/** What a hit records. `text` is the action as it was sent, for clients that ask for it again. */
export type TraceAction = { readonly text: string } & (
  | { readonly kind: 'registers' }
  /** `base`: register number whose value is added; undefined: none. */
  | { readonly kind: 'memory'; readonly base: number | undefined; readonly offset: bigint; readonly length: number }
  | { readonly kind: 'expression'; readonly program: AgentProgram }
);

/** A part of what the user typed: `at`, `cond` or `cmd`. */
export interface TraceSource {
  readonly type: string;
  text: string;
}

/** Number and address together name one: a tracepoint has one of these for each of its locations. */
export interface Tracepoint {
  readonly number: number;
  readonly address: bigint;
  enabled: boolean;
  /** Instructions to step after a hit, each recorded with `stepActions`. */
  readonly stepCount: number;
  /** Hits after which tracing stops; 0: never. */
  readonly passCount: number;
  /** Bytes of the instruction that gdb thinks a jump replaces; undefined for a normal tracepoint. Both are the same thing here. */
  readonly fast: number | undefined;
  readonly condition: AgentProgram | undefined;
  readonly actions: TraceAction[];
  readonly stepActions: TraceAction[];
  readonly sources: TraceSource[];
  hits: number;
  /** Bytes of its frames in the buffer, those that were dropped since included. */
  usage: number;
  /** An action with `S` has come: all that follow are for steps. */
  stepping: boolean;
}

/** Why an expression is no program. */
export interface BadExpression {
  readonly invalid: string;
}

/** `ADDR:E|D:STEP:PASS[:F LEN][:X LEN,EXPR]`, after the number. A `-` behind it announces actions. */
export function readTracepoint(number: number, args: PacketCursor): Tracepoint | BadExpression {
  args.colon();
  const address = args.address();
  args.colon();
  const enabled = args.optional('E');
  if (!enabled) args.expect('D');
  args.colon();
  const stepCount = args.number();
  args.colon();
  const passCount = args.number();
  let fast: number | undefined;
  let condition: AgentProgram | undefined;
  while (args.optional(':')) {
    if (args.optional('F')) {
      fast = args.number();
    } else {
      args.expect('X');
      const program = readExpression(args);
      if ('invalid' in program) return program;
      condition = program;
    }
  }
  return {
    number, address, enabled, stepCount, passCount, fast, condition,
    actions: [], stepActions: [], sources: [], hits: 0, usage: 0, stepping: false,
  }; // biome-ignore format: a record
}

/** `[S]ACTION...`, up to a `-` or the end; they are added to the tracepoint's. */
export function readActions(tracepoint: Tracepoint, args: PacketCursor): BadExpression | undefined {
  while (!args.atEnd && !args.next('-')) {
    if (args.optional('S')) tracepoint.stepping = true;
    const action = readAction(args);
    if ('invalid' in action) return action;
    (tracepoint.stepping ? tracepoint.stepActions : tracepoint.actions).push(action);
  }
  return undefined;
}

function readAction(args: PacketCursor): TraceAction | BadExpression {
  const mark = args.mark();
  if (args.optional('R')) {
    args.skipHex(); // the mask: like gdbserver we record all registers
    return { kind: 'registers', text: args.since(mark) };
  }
  if (args.optional('M')) {
    const negative = args.optional('-');
    const base = args.number();
    args.comma();
    const offset = args.bigint();
    args.comma();
    const length = args.number();
    const none = negative || base === 0xffff_ffff;
    return { kind: 'memory', base: none ? undefined : base, offset, length, text: args.since(mark) };
  }
  args.expect('X');
  const program = readExpression(args);
  if ('invalid' in program) return program;
  return { kind: 'expression', program, text: args.since(mark) };
}

function readExpression(args: PacketCursor): AgentProgram | BadExpression {
  const length = args.length();
  args.comma();
  return parseAgentExpression(args.hexBytesOf(length));
}

/** The definition again, in the pieces that `qTfP` and `qTsP` answer. */
export function tracepointPieces(tracepoint: Tracepoint): readonly string[] {
  const { number, address, enabled, stepCount, passCount, fast, condition } = tracepoint;
  const id = `${number.toString(16)}:${address.toString(16)}`;
  const counts = `${enabled ? 'E' : 'D'}:${stepCount.toString(16)}:${passCount.toString(16)}`;
  const jump = fast === undefined ? '' : `:F${fast.toString(16)}`;
  const test = condition === undefined ? '' : `:X${condition.bytes.length.toString(16)},${hex(condition.bytes)}`;
  return [
    `T${id}:${counts}${jump}${test}`,
    ...tracepoint.actions.map(({ text }) => `A${id}:${text}`),
    ...tracepoint.stepActions.map(({ text }) => `S${id}:${text}`),
    ...tracepoint.sources.map(({ type, text }) => {
      const bytes = Buffer.from(text);
      return `Z${id}:${type}:0:${bytes.length.toString(16)}:${hex(bytes)}`;
    }),
  ];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
