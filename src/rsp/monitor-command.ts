/** Commands of `monitor`: rows that the host adds to gdbserver's own (packets/monitor.ts). */

/**
 * - done: `OK`
 * - unknown: the arguments are none that the command has; the client gets the list of commands and an error
 * - exit: `OK`, then the server ends
 */
export type MonitorResult = 'done' | 'unknown' | 'exit';

export interface MonitorCommand {
  /** One or more words. */
  readonly name: string;
  /** What `monitor help` prints: the arguments behind the name, then sentences. */
  readonly args?: string;
  readonly help: readonly string[];
  /** `args`: the text behind the name, trimmed. `print` shows text on the client's console. */
  run(args: string, print: (text: string) => void): MonitorResult;
}
