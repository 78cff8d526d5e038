/** Terminals and the sessions that they control (drivers/tty/tty_jobctrl.c). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { bit, kernelInfo, SIG_IGN, SIGNAL } from '../../signals.js';
import type { Thread } from '../../thread.js';
import { EIO, EPERM, ERESTARTSYS } from '../errno.js';
import { CAP, capable } from '../identity-checks.js';
import { isOrphanedGroup } from '../process-groups.js';
import { sendToGroup, sendToProcess } from '../signal-send.js';
import type { Tty } from './tty.js';

/**
 * May a process of this group use its controlling terminal in this way? Those in the background get the signal (SIGTTIN, SIGTTOU) and are called again:
 * -ERESTARTSYS; -EIO when they would not stop. 0 for a terminal that is not theirs (tty_check_change).
 */
export function checkForeground(machine: Machine, tty: Tty, { process, signalMask }: Thread, signal: number): number {
  if (process.terminal !== tty.id || tty.foreground === 0 || process.pgid === tty.foreground) return 0;
  const ignored = (signalMask & bit(signal)) !== 0n || process.handlers.actions[signal]?.handler === SIG_IGN;
  if (ignored) return signal === SIGNAL.TTIN ? -EIO : 0;
  if (isOrphanedGroup(machine, process.pgid)) return -EIO;
  sendToGroup(machine, process.pgid, kernelInfo(signal));
  return -ERESTARTSYS;
}

function isLeader({ pid, sid }: Process): boolean {
  return pid === sid;
}

/** The terminal becomes that of the session, and the process's group its foreground. */
function takeTerminal(tty: Tty, process: Process): void {
  tty.session = process.sid;
  tty.foreground = process.pgid;
  process.terminal = tty.id;
  process.hungUpForeground = 0;
}

/** Opening a free terminal without O_NOCTTY makes it that of a leader that has none. */
export function openedBy(tty: Tty, process: Process): void {
  if (isLeader(process) && process.terminal === undefined && tty.session === 0) takeTerminal(tty, process);
}

/** TIOCSCTTY: 0, -EPERM. `force` 1: takes it away from another session. */
export function setControlling(machine: Machine, tty: Tty, process: Process, force: number): number {
  if (isLeader(process) && process.terminal === tty.id && tty.session === process.sid) return 0;
  if (!isLeader(process) || process.terminal !== undefined) return -EPERM;
  if (tty.session !== 0) {
    if (force !== 1 || !capable(process, CAP.SYS_ADMIN)) return -EPERM;
    forgetTerminal(machine, tty);
  }
  takeTerminal(tty, process);
  return 0;
}

/** Nobody of its session has it any more. */
function forgetTerminal(machine: Machine, tty: Tty): void {
  for (const process of machine.processes.values()) {
    if (process.terminal === tty.id && process.sid === tty.session) process.terminal = undefined;
  }
  tty.session = 0;
  tty.foreground = 0;
}

/** TIOCNOTTY, by a process that has it: a leader takes it from its whole session, whose foreground is told. */
export function giveUpTerminal(machine: Machine, tty: Tty, process: Process): void {
  if (!isLeader(process)) {
    process.terminal = undefined;
    return;
  }
  const group = tty.foreground;
  forgetTerminal(machine, tty);
  if (group !== 0) tellOfHangup(machine, group);
}

/** The line is gone: SIGHUP for the leader of its session, and no descriptor of it works any more (__tty_hangup). */
export function hangUp(machine: Machine, tty: Tty): void {
  const { session, foreground } = tty;
  const leader = [...machine.processes.values()].find((process) => process.pid === session && process !== machine.root);
  if (session !== 0 && leader !== undefined && leader.status === undefined) {
    sendToProcess(machine, leader, kernelInfo(SIGNAL.HUP));
    sendToProcess(machine, leader, kernelInfo(SIGNAL.CONT));
    leader.hungUpForeground = foreground;
  }
  forgetTerminal(machine, tty);
  tty.hangUp();
}

/**
 * A process ends: if it leads a session, the foreground of its terminal gets SIGHUP, and the terminal is free (disassociate_ctty). It is a pseudo-terminal, or
 * the host's, which is one mostly: it works on for those who have it open.
 */
export function leaderExits(machine: Machine, process: Process): void {
  if (!isLeader(process)) return;
  const tty = process.terminal === undefined ? undefined : machine.terminals.find(process.terminal);
  if (tty === undefined) {
    if (process.hungUpForeground !== 0) tellOfHangup(machine, process.hungUpForeground);
  } else if (tty.session === process.sid) {
    const { foreground } = tty;
    forgetTerminal(machine, tty);
    if (foreground !== 0) sendToGroup(machine, foreground, kernelInfo(SIGNAL.HUP));
  }
}

function tellOfHangup(machine: Machine, group: number): void {
  sendToGroup(machine, group, kernelInfo(SIGNAL.HUP));
  sendToGroup(machine, group, kernelInfo(SIGNAL.CONT));
}
