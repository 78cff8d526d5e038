/**
 * One client's session: bytes in, actions out. No sockets, no time, no promises; the target is called synchronously.
 *
 * The host feeds what arrives, carries out the actions in order, and reports stops, output and finished pieces of work, each of which gives
 * further actions. Nothing that a client sends makes a method throw.
 */
import { log } from '../log.js';
import { Client } from './client.js';
import { ClientText } from './client-text.js';
import type { Document } from './document.js';
import { EINTR, EINVAL } from './error-code.js';
import { servableRows, supportedFeatures } from './features.js';
import { FileTable } from './file-table.js';
import { FrameDecoder, type FrameSink } from './frame-decoder.js';
import type { GuestState } from './guest-state.js';
import { Outbox } from './outbox.js';
import { MAX_BODY, PACKET_SIZE, type PacketContext, type PacketRow, type Work } from './packet.js';
import { MalformedPacket, PacketCursor } from './packet-cursor.js';
import { PACKETS } from './packet-table.js';
import { RepeatGuard } from './repeat-guard.js';
import { Reply } from './reply.js';
import { Router } from './router.js';
import type { Action, SessionSettings } from './session-types.js';
import { type ResumeAction, type StopEvent, threadOf } from './stop-event.js';
import { StopQueue } from './stop-queue.js';
import { stopReply } from './stop-reply.js';
import type { Target } from './target.js';
import type { ThreadId } from './thread-id.js';

/**
 * - stopped: waits for a packet. Also the only state of non-stop mode, where threads run beside it
 * - running: owes a stop reply (all-stop)
 * - working: owes the reply of a long computation
 * - closed: nothing is read or sent any more
 */
type State =
  | { readonly name: 'stopped' }
  | { readonly name: 'running'; interrupted: boolean }
  | { readonly name: 'working'; readonly work: Work }
  | { readonly name: 'closed' };

const STOPPED: State = { name: 'stopped' };
const CLOSED: State = { name: 'closed' };

/** Packets whose errors gdb 13 takes as `E.text`; the others only from a client that offers `error-message+`. */
const TAKES_ERROR_TEXT = /^(?:Q|qXfer|vRun|vAttach|Z)/;

export class Session implements PacketContext {
  readonly client = new Client();
  readonly files = new FileTable();
  readonly scratch = new Uint8Array(MAX_BODY);
  document: Document | undefined;

  private readonly router: Router;
  private readonly features: string;
  private readonly decoder = new FrameDecoder(PACKET_SIZE);
  private readonly reply = new Reply();
  private readonly stops = new StopQueue();
  private readonly outbox: Outbox;
  private readonly sink: FrameSink;
  private readonly text: ClientText;
  private state: State = STOPPED;
  /** The program runs, and no packet of this client is waiting for it. */
  private runsUnasked: boolean;
  private oversizedBefore = false;
  /**
   * The present stop ends a resume of this client and answers no break. A client may take the program for running still: the stop reply is on its way, or
   * it does not show the stop to its user (gdb, which steps by itself over breakpoints and for software watchpoints).
   */
  private stopMayBeUnseen = false;
  /** A stop that is told when the client has written the text that came before. */
  private heldStop: StopEvent | undefined;
  /**
   * A break found the program in such a stop: served at the next resume, as gdbserver's SIGINT would wait. lldb-server forgets it, and lldb, which interrupts
   * for purposes of its own, such as an expression that takes long, counts on that.
   */
  private breakWaits = false;
  private readonly repeatGuard = new RepeatGuard();
  /** Emitted by the handler that is running: they leave after its reply. */
  private deferred: Action[] = [];

  constructor(
    readonly target: Target,
    readonly settings: SessionSettings = {},
  ) {
    const rows = servableRows(PACKETS, target, settings.disabled ?? new Set());
    this.router = new Router(rows);
    this.features = supportedFeatures(rows, target);
    this.outbox = new Outbox(settings.runLength ?? true, settings.trace);
    this.text = new ClientText(this.client, this.outbox);
    this.client.lastStop = settings.lastStop;
    this.client.general = settings.lastStop && threadOf(settings.lastStop);
    this.runsUnasked = settings.running === true;
    this.sink = {
      packet: (body, intact) => this.onPacket(body, intact),
      oversized: () => this.onOversized(),
      ack: () => this.repeatGuard.forget(),
      nak: () => this.onNak(),
      break: () => this.onBreak(),
    };
  }

  // ---- the host's side

  /** Bytes have arrived, any number of packets in any pieces. */
  feed(bytes: Uint8Array): readonly Action[] {
    this.settings.trace?.('in', bytes);
    this.repeatGuard.forget();
    if (this.state.name !== 'closed') this.decoder.push(bytes, this.sink);
    return this.outbox.take();
  }

  /** Number of the packet that has begun and not ended; undefined: none. The host closes the connection if one stays so. */
  get unfinishedPacket(): number | undefined {
    return this.decoder.unfinished;
  }

  /**
   * The program has stopped. In all-stop mode once for each `resume` action; another one breaks the host's side of the contract and
   * throws. In non-stop mode whenever a thread stops.
   */
  stopped(event: StopEvent): readonly Action[] {
    if (this.state.name === 'closed') return [];
    if (this.client.nonStop) return this.notify(event);
    this.noteStop(event);
    if (this.state.name === 'running') {
      if (this.text.pending > 0) this.heldStop = event;
      else this.reportStop(event);
    } else if (!this.runsUnasked) {
      throw new Error(`the target reports ${event.kind} though it was not resumed`);
    }
    this.runsUnasked = false;
    return this.outbox.take();
  }

  /** Text can be shown to the client: while the program runs in all-stop mode. */
  get takesText(): boolean {
    return this.state.name === 'running';
  }

  /** Bytes of text that the client has been asked to write and has not. */
  get unwrittenText(): number {
    return this.takesText ? this.text.pending : 0;
  }

  /** Text for the client's console; dropped when it takes none. */
  output(bytes: Uint8Array): readonly Action[] {
    if (this.takesText) this.text.add(bytes);
    return this.outbox.take();
  }

  /** Does one piece of the work that a `work` action announced. */
  work(): readonly Action[] {
    if (this.state.name !== 'working') return [];
    const { work } = this.state;
    this.reply.reset(this.client.offers('error-message+'));
    let done = true;
    this.guarded(() => {
      done = work.proceed(this.reply);
    });
    if (done) {
      this.state = STOPPED;
      this.sendReply();
    } else {
      this.outbox.add({ kind: 'work' });
    }
    return this.outbox.take();
  }

  /** The connection is gone, whoever closed it: takes back what this client set up in the target. */
  disconnected(): void {
    if (this.client.nonStop) this.target.nonStop?.set(false);
    this.state = CLOSED;
    this.files.closeAll();
    this.target.breakpoints?.removeAll();
    this.target.tracing?.clientGone();
    this.target.signals?.pass(new Set());
    this.target.events?.report(new Set());
    for (const { pid } of this.target.processes()) this.target.syscalls?.catch(pid, new Set());
  }

  // ---- the handlers' side (PacketContext)

  get view(): Pick<GuestState, 'readRegister' | 'readMemory'> {
    if (this.text.isAsking) return this.text;
    const { traceFrame } = this.client;
    return (traceFrame === undefined ? undefined : this.target.tracing?.view(traceFrame)) ?? this.target;
  }

  supported(): string {
    return this.features;
  }

  currentThread(): ThreadId | undefined {
    const { general } = this.client;
    if (general !== undefined && this.target.thread(general) !== undefined) return general;
    return this.target.threads()[0];
  }

  console(text: string): void {
    this.outbox.console(Buffer.from(text));
  }

  emit(action: Action): void {
    this.deferred.push(action);
  }

  resume(actions: readonly ResumeAction[], reply: Reply): void {
    this.client.traceFrame = undefined;
    this.emit({ kind: 'resume', actions });
    if (this.client.nonStop) return reply.ok();
    this.state = { name: 'running', interrupted: this.breakWaits };
    if (this.breakWaits) this.emit({ kind: 'interrupt' });
    this.breakWaits = false;
    reply.later();
  }

  answerStop(event: StopEvent, reply: Reply): void {
    this.noteStop(event);
    reply.text(stopReply(event, this));
  }

  stopRunning(reply: Reply): boolean {
    if (!this.runsUnasked) return false;
    this.state = { name: 'running', interrupted: true };
    this.emit({ kind: 'interrupt' });
    reply.later();
    return true;
  }

  startWork(work: Work, reply: Reply): void {
    this.state = { name: 'working', work };
    this.emit({ kind: 'work' });
    reply.later();
  }

  get asksClient(): boolean {
    return this.text.isAsking;
  }

  clientAnswered(errno: number, interrupts: boolean): void {
    this.text.answered(errno);
    if (interrupts) this.onBreak();
    if (this.heldStop !== undefined && this.text.pending === 0) this.reportStop(this.heldStop);
  }

  /** Non-stop: `?` answers with the first of these, `vStopped` with the others. */
  answerStops(events: readonly StopEvent[], reply: Reply): void {
    this.stops.restart(events.map((event) => ({ event, reply: stopReply(event, this) })));
    this.answerNextStop(reply);
  }

  /** Non-stop: `vStopped` has acknowledged the report that was out. */
  acknowledgeStop(reply: Reply): void {
    this.stops.acknowledge();
    this.answerNextStop(reply);
  }

  hasUnseenStop(thread: ThreadId): boolean {
    return this.client.nonStop && this.stops.holds(thread);
  }

  forgetStops(): void {
    this.state = STOPPED;
    this.heldStop = undefined;
    this.runsUnasked = false;
    this.client.lastStop = undefined;
    this.client.general = undefined;
    this.stops.restart([]);
  }

  // ---- frames

  private onPacket(body: Uint8Array, intact: boolean): void {
    if (this.state.name === 'closed') return;
    if (!intact && !this.client.noAck) return this.outbox.nak();
    if (!this.client.noAck && this.repeatGuard.repeats(body)) return;
    if (!this.client.noAck) this.outbox.ack();
    // Without acknowledgements nobody would send it again: gdbserver takes it as it is, and so do we.
    else if (!intact) log.info({ packet: printable(body) }, 'packet with a wrong checksum in no-ack mode');
    const row = this.router.find(body);
    if (!this.allowed(row)) {
      return log.info({ packet: printable(body), state: this.state.name }, 'packet ignored: it may not come now');
    }
    this.handle(row, body);
  }

  private allowed(row: PacketRow | undefined): boolean {
    if (this.state.name === 'stopped' || row?.allowedWhile === 'always') return true;
    return this.text.isAsking && row?.allowedWhile === 'asking';
  }

  private handle(row: PacketRow | undefined, body: Uint8Array): void {
    const { reply, state } = this;
    reply.reset(this.client.offers('error-message+') || TAKES_ERROR_TEXT.test(row?.prefix ?? ''));
    if (row === undefined) reply.empty();
    else if (!this.guarded(() => answerPacket(row, body, reply, this), body)) {
      this.state = state;
      this.deferred = [];
      if (state.name !== 'stopped') return;
    }
    this.sendReply();
    this.outbox.add(...this.deferred);
    if (this.deferred.some(({ kind }) => kind === 'exit')) this.state = CLOSED;
    this.deferred = [];
  }

  /** The one place that goes on after an exception: whatever a client sends, its session lives. False: the reply says what was wrong. */
  private guarded(handle: () => void, body?: Uint8Array): boolean {
    try {
      handle();
      return true;
    } catch (error) {
      const packet = body && printable(body);
      if (error instanceof MalformedPacket) {
        log.info({ packet, reason: error.message }, 'malformed packet');
        this.reply.error(EINVAL, `malformed packet: ${error.message}`);
      } else {
        const stack = error instanceof Error ? error.stack : undefined;
        log.error({ packet, error: String(error), stack }, 'handler failed');
        this.reply.error(EINVAL, 'internal error');
      }
      return false;
    }
  }

  private onOversized(): void {
    log.warn({ limit: PACKET_SIZE }, 'packet too long');
    if (this.client.noAck || this.oversizedBefore) return this.close();
    this.oversizedBefore = true;
    this.outbox.nak();
  }

  private onNak(): void {
    if (!this.client.noAck) this.outbox.repeat();
  }

  /** Several in a row are one. */
  private onBreak(): void {
    if (this.state.name === 'working') {
      this.state = STOPPED;
      this.reply.reset(false);
      this.reply.error(EINTR);
      this.sendReply();
    } else if (this.heldStop !== undefined) {
      this.breakWaits = !this.client.isLldb;
    } else if (this.state.name === 'running' && !this.state.interrupted) {
      this.state.interrupted = true;
      this.outbox.add({ kind: 'interrupt' });
    } else if (this.state.name === 'stopped') this.breakWaits ||= this.stopMayBeUnseen && !this.client.isLldb;
  }

  private close(): void {
    this.state = CLOSED;
    this.outbox.add({ kind: 'close' });
  }

  // ---- stops

  /** All-stop: the answer to a resume. */
  private reportStop(event: StopEvent): void {
    this.heldStop = undefined;
    this.noteStop(event);
    this.state = STOPPED;
    this.stopMayBeUnseen = event.kind !== 'interrupted';
    this.outbox.reply(Buffer.from(stopReply(event, this)));
  }

  private noteStop(event: StopEvent): void {
    this.client.lastStop = event;
    this.client.general = threadOf(event);
  }

  private notify(event: StopEvent): readonly Action[] {
    const first = this.stops.add({ event, reply: stopReply(event, this) });
    if (first !== undefined) this.outbox.notify(`Stop:${first}`);
    return this.outbox.take();
  }

  private answerNextStop(reply: Reply): void {
    const next = this.stops.next;
    if (next === undefined) reply.ok();
    else reply.text(next);
  }

  private sendReply(): void {
    if (this.reply.state === 'body') this.outbox.reply(this.reply.body);
  }
}

function answerPacket(row: PacketRow, body: Uint8Array, reply: Reply, context: PacketContext): void {
  row.handle(new PacketCursor(body, row.prefix.length), reply, context);
  if (reply.state === 'open') throw new Error(`${row.prefix}: the handler gave no reply`);
}

function printable(body: Uint8Array): string {
  return Buffer.from(body.subarray(0, 200))
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '.');
}
