/**
 * What one connected client has said about itself and selected so far. Lives as long as its connection; a second `qSupported` starts the
 * feature part anew.
 */

import type { Pid } from '../types.js';
import type { StopEvent } from './stop-event.js';
import type { EventKind } from './target-abilities.js';
import { ALL_THREADS, type ThreadId, type ThreadSelector } from './thread-id.js';

export class Client {
  /** Names of the features it offers, as sent: `swbreak+`, `xmlRegisters=i386`. */
  features: ReadonlySet<string> = new Set();
  /** It knows registers by target descriptions. */
  readsDescriptions = false;
  /** Thread ids carry pids. */
  multiprocess = false;
  noAck = false;
  extended = false;
  nonStop = false;
  /** Chosen by `Hg` or by the last stop; the thread may have ended since. */
  general: ThreadId | undefined;
  /** Chosen by `Hc`: whom `c` and `s` move. */
  continued: ThreadSelector = ALL_THREADS;
  /** What `?` answers in all-stop mode. */
  lastStop: StopEvent | undefined;
  /** Events that it wants to stop for. */
  events: ReadonlySet<EventKind> = new Set();
  /** Whose file system `vFile` sees (`vFile:setfs`); undefined: the server's own. */
  fileSystemOf: Pid | undefined;
  /** The rest of a thread list that did not fit into `qfThreadInfo`'s reply. */
  threadList: readonly ThreadId[] = [];
  /** Index of the trace frame that it looks at; undefined: the present. */
  traceFrame: number | undefined;
  /** It has said `QThreadSuffixSupported`, which only lldb does. */
  isLldb = false;
  /** lldb (`QListThreadsInStopReply`): stop replies tell of every thread. */
  listsThreads = false;
  /** lldb (`QSaveRegisterState`): what `g` said, by the number that we gave out. */
  readonly savedRegisters = new Map<number, Uint8Array>();
  /** The rest of a list of tracepoints or variables. */
  pieces: readonly string[] = [];

  /** It serves File-I/O requests: all gdbs since 5.3, which say this of themselves and no other client does. */
  get servesFileIo(): boolean {
    return this.offers('qRelocInsn+') && !this.isLldb;
  }

  offers(feature: string): boolean {
    return this.features.has(feature);
  }
}
