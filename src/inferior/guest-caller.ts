/** A process of the machine as the one who registers probes: it sees the pids of its namespace and may probe what it may trace. */
import { CAP, capable, mayInspect } from '../emulator/kernel/identity-checks.js';
import { ownerNumbered } from '../emulator/kernel/pid-namespace.js';
import type { Process } from '../emulator/process.js';
import type { Caller, HostProcess } from '../uprobes/port.js';
import type { ProcessView, UprobesPort } from './uprobes-port.js';

export function guestCaller(port: UprobesPort, process: Process): Caller {
  const { machine } = port.parts;
  return {
    resolve(pid: number): HostProcess | undefined {
      const found = ownerNumbered(machine, process, pid);
      return found === undefined || found === machine.root || found.isZombie ? undefined : port.process(found);
    },
    mayProbe: (target) => mayInspect(process, (target as ProcessView).own),
    get privileged() {
      return capable(process, CAP.SYS_ADMIN);
    },
  };
}
