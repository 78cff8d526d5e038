/** `Z` and `z`: breakpoints and watchpoints, with conditions and commands that run beside the program. */
import { type AgentProgram, parseAgentExpression } from '../../agent-expression/program.js';
import { EINVAL, ESRCH } from '../error-code.js';
import { type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import { BREAKPOINT_KINDS, type Breakpoint, type BreakpointKind, type Breakpoints } from '../target-abilities.js';

/**
 * `Z TYPE,ADDR,KIND[;X LEN,EXPR...][;cmds:PERSIST,X LEN,EXPR...]` – several expressions follow each other without a separator; several
 * conditions mean "or".
 */
function insert(
  args: PacketCursor,
  reply: Reply,
  context: PacketContext,
  ability: Breakpoints,
  kind: BreakpointKind,
): void {
  const breakpoint = readBreakpoint(args, context, kind);
  const expressions: Expressions = { conditions: [], commands: [], persistent: false };
  const problem = readExpressions(args, expressions);
  if (problem !== undefined) return reply.error(EINVAL, `agent expression: ${problem}`);
  args.end();
  if (breakpoint === undefined) return reply.error(ESRCH);
  reply.outcome(ability.insert({ ...breakpoint, ...expressions }));
}

/** `z TYPE,ADDR,KIND` */
function remove(
  args: PacketCursor,
  reply: Reply,
  context: PacketContext,
  ability: Breakpoints,
  kind: BreakpointKind,
): void {
  const breakpoint = readBreakpoint(args, context, kind);
  args.end();
  if (breakpoint === undefined) return reply.error(ESRCH);
  reply.outcome(ability.remove(breakpoint));
}

/** undefined: there is no process. */
function readBreakpoint(args: PacketCursor, context: PacketContext, kind: BreakpointKind): Breakpoint | undefined {
  args.comma();
  const address = args.address();
  args.comma();
  const length = args.number();
  const pid = context.currentThread()?.pid;
  return pid === undefined ? undefined : { kind, pid, address, length };
}

interface Expressions {
  readonly conditions: AgentProgram[];
  readonly commands: AgentProgram[];
  persistent: boolean;
}

/** Says what is wrong with an expression; undefined: nothing. */
function readExpressions(args: PacketCursor, into: Expressions): string | undefined {
  while (args.optional(';')) {
    if (args.optional('X')) {
      const problem = readList(args, into.conditions);
      if (problem !== undefined) return problem;
    } else if (!args.atEnd) {
      if (args.textUntil(':') !== 'cmds') args.malformed('neither a condition nor commands');
      args.colon();
      into.persistent = args.number() !== 0;
      args.comma();
      args.expect('X');
      const problem = readList(args, into.commands);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

/** The first `X` is taken already. */
function readList(args: PacketCursor, into: AgentProgram[]): string | undefined {
  do {
    const length = args.length();
    args.comma();
    const bytes = args.hexBytesOf(length);
    const program = parseAgentExpression(bytes);
    if ('invalid' in program) return program.invalid;
    into.push(program);
  } while (args.optional('X'));
  return undefined;
}

/** A kind that the target does not have gets the empty reply, and gdb uses another. */
function rowsOf(kind: BreakpointKind, type: number): readonly PacketRow[] {
  return ([['Z', insert], ['z', remove]] as const).map(([letter, handle]) => {
    return withAbility('breakpoints', {
      prefix: `${letter}${type}`,
      handle: (args, reply, context, ability) => {
        if (ability.kinds.has(kind)) handle(args, reply, context, ability, kind);
        else reply.empty();
      },
    });
  }); // biome-ignore format: a table
}

export const breakpointPackets: readonly PacketRow[] = BREAKPOINT_KINDS.flatMap(rowsOf);
