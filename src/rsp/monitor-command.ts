/** Commands of `monitor`: rows that the host adds to gdbserver's own (packets/monitor.ts). */

/**
 * - done: `OK`
 * - unknown: there is no such command, or none with such arguments; the client gets the list of commands and an error
 * - invalid: the same, but the command has said what is wrong
 * - exit: `OK`, then the server ends
 */
export type MonitorResult = 'done' | 'unknown' | 'invalid' | 'exit';

export interface MonitorCommand {
  /** One or more words. */
  readonly name: string;
  /** What `monitor help` prints: the arguments behind the name, then sentences. */
  readonly args?: string;
  readonly help: readonly string[];
  /** `args`: the text behind the name, trimmed. `print` shows text on the client's console. */
  run(args: string, print: (text: string) => void): MonitorResult;
}
