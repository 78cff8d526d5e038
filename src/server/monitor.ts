/** `monitor` commands of our own, beside gdbserver's (rsp/packets/monitor.ts). */
import { isRejected } from '../rsp/error-code.js';
import type { MonitorCommand } from '../rsp/monitor-command.js';
import type { Target } from '../rsp/target.js';
import type { OpenMode } from '../rsp/target-abilities.js';

export interface MonitorSources {
  /** Lines about the run: retired instructions and the like. */
  statistics(): readonly string[];
  /** Lines about probepoints and slots. */
  probes(): readonly string[];
  /** The text of /proc/PID/maps of the first debugged process; undefined without one. */
  maps(): string | undefined;
}

function lines(name: string, help: string, read: () => readonly string[]): MonitorCommand {
  return {
    name,
    help: [help],
    run(args, print) {
      if (args !== '') return 'unknown';
      for (const line of read()) print(`${line}\n`);
      return 'done';
    },
  };
}

export function monitorCommands(sources: MonitorSources): readonly MonitorCommand[] {
  return [
    lines('stats', 'Show how much was executed, and how', () => sources.statistics()),
    lines('uprobes', "Show probepoints, slots and the engine's counts", () => sources.probes()),
    lines('maps', 'Show the mappings of the program', () => {
      return (sources.maps() ?? 'no process').trimEnd().split('\n');
    }),
  ];
}

const LONGEST_MAPS = 1 << 20;
const READ_ONLY: OpenMode = {
  access: 'read',
  append: false,
  create: false,
  truncate: false,
  exclusive: false,
  permissions: 0,
};

/** /proc/PID/maps of the first debugged process; undefined: there is none. */
export function mapsOf(target: Target): string | undefined {
  const pid = target.processes()[0]?.pid;
  const file = pid === undefined ? undefined : target.hostIo?.open(pid, `/proc/${pid}/maps`, READ_ONLY);
  if (file === undefined || isRejected(file)) return undefined;
  const text = new Uint8Array(LONGEST_MAPS);
  let length = 0;
  for (;;) {
    const got = file.read(length, text.subarray(length));
    if (typeof got !== 'number' || got === 0) break;
    length += got;
  }
  file.close();
  return Buffer.from(text.subarray(0, length)).toString();
}
