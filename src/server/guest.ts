/** What server and `run` need of an assembled emulator: the machine, a way to start programs, and a view of its files. */
import type { Machine } from '../emulator/machine.js';
import type { ProgramStarter } from '../inferior/launcher.js';
import type { HostIo } from '../rsp/target-abilities.js';

export interface Guest {
  readonly machine: Machine;
  readonly starter: ProgramStarter;
  readonly hostIo: HostIo;
  /** `NAME=VALUE` for programs, as the server got it. */
  readonly environment: ReadonlyMap<string, string>;
  /** The server ends: what the program changed on the host is put back or written out. */
  close(): void;
  /** Counts for `--stats` and `monitor stats`, one line each. */
  statistics(): readonly string[];
}
