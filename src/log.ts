/**
 * The project's one logger. Diagnostics go to stderr or to `--log-file`, never to stdout, which is the program's.
 *
 * pino is loaded on first use: most runs never log, and start-up time is paid at every start of the server.
 */
import { createRequire } from 'node:module';
import type { Level, Logger } from 'pino';

export type LogLevel = Level | 'silent';
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

interface LogSettings {
  level: LogLevel;
  /** Path of the file that gets the lines; stderr when absent. */
  file?: string;
}

let settings: LogSettings = { level: 'warn' };
let logger: Logger | undefined;

/** Sets level and destination. Takes effect for every line logged after it. */
export function configureLog(next: LogSettings): void {
  settings = next;
  logger = undefined;
}

function severity(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

function emit(level: Level, facts: object, message: string): void {
  if (severity(level) < severity(settings.level)) return;
  logger ??= open();
  logger[level](facts, message);
}

function open(): Logger {
  const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino');
  const destination = pino.destination({ dest: settings.file ?? 2, sync: true });
  return pino({ level: settings.level, base: null }, destination);
}

/** One structured line: the facts first, then one sentence. */
export const log = {
  debug: (facts: object, message: string): void => emit('debug', facts, message),
  info: (facts: object, message: string): void => emit('info', facts, message),
  warn: (facts: object, message: string): void => emit('warn', facts, message),
  error: (facts: object, message: string): void => emit('error', facts, message),
};
