/**
 * A packet is a row: its name, what the target must be able to do, when it may come, what it adds to `qSupported`, and who handles it.
 * The rows are in packets/*.ts; packet-table.ts has them all.
 */
import type { Client } from './client.js';
import type { Document } from './document.js';
import { EIO } from './error-code.js';
import type { FileTable } from './file-table.js';
import type { GuestState } from './guest-state.js';
import type { PacketCursor } from './packet-cursor.js';
import type { Reply } from './reply.js';
import type { Action, DisablablePacket, SessionSettings } from './session-types.js';
import type { StopEvent } from './stop-event.js';
import type { Ability, Target } from './target.js';
import type { ThreadId } from './thread-id.js';

/** Largest packet in either direction, as `qSupported` announces it. */
export const PACKET_SIZE = 0x20000;
/** Room for a reply's body, frame and type character apart. */
export const MAX_BODY = PACKET_SIZE - 16;

/** What a handler sees and may do. Implemented by the session. */
export interface PacketContext {
  readonly target: Target;
  readonly client: Client;
  readonly settings: SessionSettings;
  readonly files: FileTable;
  /** Bytes for a handler's reads, as many as one reply can carry. */
  readonly scratch: Uint8Array;
  /** The document that the client reads piece by piece. */
  document: Document | undefined;
  /** What `g`, `p` and `m` read: the program, the trace frame that the client looks at, or text that it is asked to write. */
  readonly view: Pick<GuestState, 'readRegister' | 'readMemory'>;
  /** The value of our `qSupported` reply. */
  supported(): string;
  /** The thread that `Hg` chose, or the first one if that has ended; undefined without a process. */
  currentThread(): ThreadId | undefined;
  /** Leaves after the reply. */
  emit(action: Action): void;
  /** Shows text on the client's console, before the reply. */
  console(text: string): void;
  /** In all-stop mode the next stop is the answer; in non-stop mode `OK` is. */
  resume(actions: Extract<Action, { kind: 'resume' }>['actions'], reply: Reply): void;
  /** Answers with a stop that is known already, as `?`, `vRun` and `vAttach` do. */
  answerStop(event: StopEvent, reply: Reply): void;
  /** Non-stop: `?` answers with the first of these, `vStopped` with the others. */
  answerStops(events: readonly StopEvent[], reply: Reply): void;
  /** Non-stop: `vStopped` has acknowledged the report that was out. */
  acknowledgeStop(reply: Reply): void;
  /** Non-stop: a report about this thread, or about the fork that made it, is on its way. */
  hasUnseenStop(thread: ThreadId): boolean;
  /** The program that ran is dead by this client's will: no stop reply is owed any more. */
  forgetStops(): void;
  /** All-stop: the program runs though nobody here resumed it; stop it, and answer with that stop. False: it does not run. */
  stopRunning(reply: Reply): boolean;
  /** A File-I/O request is open. */
  readonly asksClient: boolean;
  /** The client's answer to that: 0 or its errno. `interrupts`: its user has pressed Ctrl-C meanwhile. */
  clientAnswered(errno: number, interrupts: boolean): void;
  /** A search or checksum over much memory: the answer comes when the work is done. */
  startWork(work: Work, reply: Reply): void;
}

/** A long computation in pieces, so that a break and the event loop get their turn. */
export interface Work {
  /** Does one piece; true when it has filled the reply. */
  proceed(reply: Reply): boolean;
}

export type Handler = (args: PacketCursor, reply: Reply, context: PacketContext) => void;

export interface PacketRow {
  /** One character, arguments behind it; or a name that ends the packet or is followed by `:`, `;` or `,`. */
  readonly prefix: string;
  readonly handle: Handler;
  readonly needs?: Ability;
  /** The arguments follow the name with nothing between. */
  readonly joined?: true;
  /** `always`: also while the program runs in all-stop mode; `asking`: then only while the client is asked to write text. */
  readonly allowedWhile?: 'stopped' | 'asking' | 'always';
  /** What `qSupported` says about it. */
  readonly advertises?: string;
  /** `--disable-packet` with one of these hides it. */
  readonly disabledBy?: DisablablePacket;
}

/** A row whose handler gets the ability that it needs. */
export function withAbility<Name extends Ability>(
  needs: Name,
  row: Omit<PacketRow, 'needs' | 'handle'> & {
    handle(args: PacketCursor, reply: Reply, context: PacketContext, ability: NonNullable<Target[Name]>): void;
  },
): PacketRow {
  return {
    ...row,
    needs,
    handle(args, reply, context) {
      const ability = context.target[needs];
      if (ability === undefined || ability === null) reply.empty();
      else row.handle(args, reply, context, ability);
    },
  };
}

/** Writing is refused while a client looks at a trace frame; the reply is given then. */
export function refusesWrite({ client }: PacketContext, reply: Reply): boolean {
  if (client.traceFrame === undefined) return false;
  reply.error(EIO, 'a trace frame cannot be changed');
  return true;
}
