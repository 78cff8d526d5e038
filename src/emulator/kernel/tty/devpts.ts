/** /dev/pts, /dev/ptmx, /dev/tty, /dev/console. */
import type { Machine } from '../../machine.js';
import { EIO, ENXIO } from '../errno.js';
import { deviceNumber } from '../file/device-number.js';
import type { Opener } from '../file/file-system.js';
import type { OpenFile } from '../file/open-file.js';
import { S } from '../file/stat.js';
import { type DirectoryNode, type SpecialNode, SyntheticFileSystem } from '../file/synthetic-fs.js';
import { hostTerminal } from './host-terminal.js';
import { openSlave, PtyMaster, type PtySlave } from './pty.js';
import { openTty } from './tty-file.js';

const DEVPTS_MAGIC = 0x1cd1;
/** The group `tty` of Debian, which terminals belong to. */
const TTY_GROUP = 5;

function openMaster({ machine, process }: Opener, flags: number): OpenFile {
  const owner = { uid: process.credentials.fsuid, gid: TTY_GROUP };
  const master = new PtyMaster(machine, flags, machine.terminals.freePtyNumber, owner);
  machine.terminals.add(master.slave);
  return master;
}

/** The caller's controlling terminal; -ENXIO: it has none. */
function openOwn(opener: Opener, flags: number): OpenFile | number {
  const { machine, process } = opener;
  const tty = process.terminal === undefined ? undefined : machine.terminals.find(process.terminal);
  return tty === undefined ? -ENXIO : openTty(opener, tty, flags);
}

function openConsole(opener: Opener, flags: number): OpenFile | number {
  const tty = hostTerminal(opener.machine);
  return tty === undefined ? -EIO : openTty(opener, tty, flags);
}

function terminal(
  minor: number,
  mode: number,
  open: (opener: Opener, flags: number) => OpenFile | number,
): SpecialNode {
  return { kind: 'special', type: S.IFCHR, mode, rdevice: deviceNumber(5, minor), open };
}

export const PTMX_NODE = terminal(2, 0o666, openMaster);
export const TTY_NODE = terminal(0, 0o666, openOwn);
export const CONSOLE_NODE = terminal(1, 0o600, openConsole);

function slaveNode(slave: PtySlave): SpecialNode {
  return {
    kind: 'special',
    type: S.IFCHR,
    mode: slave.mode,
    owner: slave.owner,
    rdevice: slave.id,
    attributes: slave,
    open: (opener, flags) => openSlave(opener, slave, flags),
  };
}

export function devptsFileSystem(machine: Machine): SyntheticFileSystem {
  const root: DirectoryNode = {
    kind: 'directory',
    mode: 0o755,
    names: () => ['ptmx', ...machine.terminals.ptyNumbers.map(String)],
    child(name) {
      if (name === 'ptmx') return { ...PTMX_NODE, mode: 0 };
      const slave = /^(0|[1-9]\d*)$/.test(name) ? machine.terminals.pty(Number(name)) : undefined;
      return slave === undefined ? undefined : slaveNode(slave);
    },
  };
  return new SyntheticFileSystem(
    machine,
    { type: 'devpts', magic: DEVPTS_MAGIC, device: 23, ioSize: 1024 },
    () => root,
  );
}
