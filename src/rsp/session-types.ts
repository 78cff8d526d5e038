/** What passes between a session and its host: settings in, actions out. */
import type { MonitorCommand } from './monitor-command.js';
import type { ResumeAction, StopEvent } from './stop-event.js';

/** What the host shall do, in this order, before it feeds the session again. */
export type Action =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Let these threads go; report with `session.stopped`. */
  | { readonly kind: 'resume'; readonly actions: readonly ResumeAction[] }
  /** Stop the program soon, whatever it does, and report `interrupted`. If it stops for another reason first, that report does. */
  | { readonly kind: 'interrupt' }
  /** Call `session.work()` soon. */
  | { readonly kind: 'work' }
  /** Close the connection. */
  | { readonly kind: 'close' }
  /**
   * The server's job is done: `k` or `monitor exit` came, or the last process was detached (then the server ends when that process does).
   */
  | { readonly kind: 'exit'; readonly reason: 'killed' | 'detached' | 'monitor' };

/** What `--disable-packet` can hide, as gdbserver 13 has it; `threads` there is Tthread, qC and qfThreadInfo together. */
export const DISABLABLE = ['vCont', 'T', 'Tthread', 'qC', 'qfThreadInfo'] as const;
export type DisablablePacket = (typeof DISABLABLE)[number];

/** The value of `--disable-packet=OPT1[,OPT2,...]`; undefined when one of them is unknown. */
export function parseDisabledPackets(list: string): ReadonlySet<DisablablePacket> | undefined {
  const disabled = new Set<DisablablePacket>();
  for (const name of list.split(',')) {
    const known = DISABLABLE.find((packet) => packet === name);
    if (known !== undefined) disabled.add(known);
    else if (name === 'threads') for (const packet of ['Tthread', 'qC', 'qfThreadInfo'] as const) disabled.add(packet);
    else return undefined;
  }
  return disabled;
}

/** What `monitor set debug` and its kin switch. */
export type DebugTopic = 'general' | 'hardware-points' | 'remote' | 'event-loop';

export interface Diagnostics {
  enable(topic: DebugTopic, on: boolean): void;
  showTimestamps(on: boolean): void;
}

export interface SessionSettings {
  readonly disabled?: ReadonlySet<DisablablePacket>;
  /** Commands of the host for `monitor`, beside those of gdbserver. */
  readonly monitor?: readonly MonitorCommand[];
  /** Without it `monitor` has no `set debug` and no `set debug-format`. */
  readonly diagnostics?: Diagnostics;
  /** Compress replies. Default true, as gdbserver. */
  readonly runLength?: boolean;
  /** The stop in which the program is when the client connects. */
  readonly lastStop?: StopEvent;
  /** The program runs when the client connects. */
  readonly running?: boolean;
  /** Gets every byte as it passes: a log of the session. */
  trace?(direction: 'in' | 'out', bytes: Uint8Array): void;
}
