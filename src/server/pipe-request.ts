/** What passes between `sidestep gdb` and the server that its gdb starts, beside the pipe that the protocol uses. */
import type { LogLevel } from '../log.js';
import type { GdbOptions } from '../options.js';

/** The program's standard input, output and error: gdb hands these descriptors on as they are. */
export const PROGRAM_FDS = [3, 4, 5] as const;
/** A socket pair. */
export const REQUEST_FD = 6;

/** One line of JSON, down. */
export interface PipeRequest {
  readonly options: GdbOptions;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: { readonly level: LogLevel; readonly file?: string };
}

/** One line of JSON for each program that has ended, up: as a shell tells it. */
export interface PipeReport {
  readonly status: number;
}
