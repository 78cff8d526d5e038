/**
 * One server: a listening address, at most one client at a time, and the debugged programs, which outlive clients. Says on stderr what gdbserver
 * says, because scripts and IDEs wait for its lines.
 */
import { defaultAction, type SigInfo } from '../emulator/signals.js';
import type { Inferior } from '../inferior.js';
import { log } from '../log.js';
import { signalName } from '../rsp/gdb-signal.js';
import type { ConnectedClient, ConnectionHandler, ListenerHost } from '../rsp/listener.js';
import { Session } from '../rsp/session.js';
import type { Action, SessionSettings } from '../rsp/session-types.js';
import type { StopEvent } from '../rsp/stop-event.js';
import { unreachable } from '../types.js';
import type { Drive } from './drive.js';

export interface DebugServerOptions {
  readonly once: boolean;
  readonly multi: boolean;
  readonly session: SessionSettings;
  /** A line for stderr. */
  announce(line: string): void;
  /** A piece of the programs has run, and may have ended in a stop. */
  beforeReport(): void;
  /** The listener says again where it listens. */
  reopen(): void;
  /** A debugged program is over. */
  ended(event: Extract<StopEvent, { kind: 'exited' | 'killed' }>): void;
}

/** Bytes of text that may wait for the client to write them. */
const MOST_UNWRITTEN = 1 << 20;

/** A connection and its session. */
interface Visit {
  readonly client: ConnectedClient;
  readonly session: Session;
}

export class DebugServer implements ListenerHost {
  private visit: Visit | undefined;
  private lastStop: StopEvent | undefined;
  private status: number | undefined;
  /** A client has used extended mode: the server outlives its programs. */
  private extended: boolean;
  /** The last process was let go: the server ends with it. */
  private leaving = false;
  /** The programs stand until it has caught up. */
  private clientLags = false;

  constructor(
    private readonly inferior: Inferior,
    private readonly drive: Drive,
    private readonly options: DebugServerOptions,
  ) {
    this.extended = options.multi;
  }

  /** The stop in which the first client finds the program. */
  begin(stop: StopEvent | undefined): void {
    this.lastStop = stop;
  }

  /** Until the server's work is done: its exit status. */
  async serve(): Promise<number> {
    while (this.status === undefined) {
      if (await this.waitedForClient()) continue;
      const progress = this.drive.piece((limit) => this.inferior.run(limit));
      this.options.beforeReport();
      if (progress.kind === 'report') this.report();
      else if (progress.kind === 'exited' && this.leaving) this.status = 0;
      else await this.drive.pause(progress);
    }
    return this.status;
  }

  /** A program that prints faster than the client writes waits for it. */
  private async waitedForClient(): Promise<boolean> {
    this.clientLags = (this.visit?.session.unwrittenText ?? 0) > MOST_UNWRITTEN;
    if (this.clientLags) await this.drive.pause({ kind: 'held' });
    return this.clientLags;
  }

  /** A program has signalled the server, by getppid(): what it would do to gdbserver, which its kernel stops and lets go on too. */
  rootSignal({ signal }: SigInfo): void {
    const action = defaultAction(signal);
    if (action === 'stop') this.inferior.freezeReports(true);
    else if (action === 'continue') this.inferior.freezeReports(false);
    else if (action !== 'ignore') this.finish(128 + signal);
  }

  /** Text that commands at breakpoints print. False: there is no client, or none that waits for a stop and so takes no text. */
  print(text: Uint8Array): boolean {
    const { visit } = this;
    if (visit === undefined || !visit.session.takesText) return false;
    this.perform(visit, visit.session.output(text));
    return true;
  }

  /** The server ends: its programs end with it, attached ones go on until they are alone. */
  finish(status: number): void {
    if (this.status !== undefined || this.leaving) return;
    const processes = this.inferior.processes();
    const [attached, started] = [processes.filter((one) => one.attached), processes.filter((one) => !one.attached)];
    const list = (pids: readonly { pid: number }[]): string => pids.map(({ pid }) => ` ${pid}`).join('');
    if (started.length > 0) this.announce(`Killing process(es):${list(started)}`);
    if (attached.length > 0) this.announce(`Detaching process(es):${list(attached)}`);
    for (const { pid } of started) this.inferior.kill(pid);
    for (const { pid } of attached) this.inferior.detach(pid);
    if (attached.length > 0) this.leaving = true;
    else this.status = status;
    this.visit?.client.close();
    this.drive.wake();
  }

  announce(line: string): void {
    this.options.announce(line);
  }

  // ---- clients

  connected(client: ConnectedClient): ConnectionHandler {
    const { lastStop } = this;
    const session = new Session(this.inferior, {
      ...this.options.session,
      ...(lastStop === undefined ? {} : { lastStop }),
      running: this.inferior.running,
    });
    const visit: Visit = { client, session };
    this.visit = visit;
    return {
      data: (bytes) => {
        this.perform(visit, session.feed(bytes));
        if (this.clientLags) this.drive.wake();
        this.extended ||= session.client.extended;
      },
      unfinishedPacket: () => session.unfinishedPacket,
      closed: () => this.disconnected(visit),
    };
  }

  private disconnected(visit: Visit): void {
    const { session } = visit;
    this.lastStop = session.client.lastStop;
    session.disconnected();
    if (this.visit === visit) this.visit = undefined;
    if (this.clientLags) this.drive.wake();
    if (this.status !== undefined || this.leaving) return;
    if (this.options.once || (!this.extended && this.inferior.processes().length === 0)) return this.finish(0);
    this.announce('Remote side has terminated connection.  GDBserver will reopen the connection.');
    this.options.reopen();
  }

  private perform(visit: Visit, actions: readonly Action[]): void {
    for (const action of actions) this.act(visit, action);
  }

  private act(visit: Visit, action: Action): void {
    switch (action.kind) {
      case 'send':
        return visit.client.send(action.bytes);
      case 'resume':
        this.inferior.resume(action.actions);
        return this.drive.wake();
      case 'interrupt':
        this.inferior.interrupt();
        return this.drive.wake();
      case 'work':
        setImmediate(() => this.perform(visit, visit.session.work()));
        return;
      case 'close':
        return visit.client.close();
      case 'exit':
        return this.exit(visit, action.reason);
      default:
        unreachable(action);
    }
  }

  private exit(visit: Visit, reason: Extract<Action, { kind: 'exit' }>['reason']): void {
    if (reason === 'detached') {
      this.leaving = true;
      visit.client.close();
      return this.drive.wake();
    }
    if (reason === 'killed') this.announce('Killing all inferiors');
    this.finish(0);
  }

  // ---- reports

  private report(): void {
    for (let event = this.inferior.nextReport(); event !== undefined; event = this.inferior.nextReport()) {
      this.announceEnd(event);
      this.lastStop = event;
      if (this.visit !== undefined) this.perform(this.visit, this.visit.session.stopped(event));
      else if (!this.extended && this.inferior.processes().length === 0) this.finish(0);
    }
  }

  private announceEnd(event: StopEvent): void {
    if (event.kind === 'exited' || event.kind === 'killed') this.options.ended(event);
    if (event.kind === 'exited') this.announce(`\nChild exited with status ${event.code}`);
    else if (event.kind === 'killed') {
      const signal = `0x${event.signal.toString(16)} (${signalName(event.signal)})`;
      this.announce(`\nChild terminated with signal = ${signal}`);
    } else log.debug({ event }, 'the program has stopped');
  }
}
