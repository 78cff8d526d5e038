/** What goes beside the bytes of a message (SCM_RIGHTS, SCM_CREDENTIALS) and how a program packs it: struct cmsghdr, struct ucred (net/core/scm.c). */
import { joined } from '../../bytes.js';
import type { Process } from '../../process.js';
import { EBADF, EINVAL, EPERM, ESRCH } from '../errno.js';
import { filesOf, install } from '../file/file-table.js';
import type { OpenFile } from '../file/open-file.js';
import { CAP, capable } from '../identity-checks.js';
import type { SyscallContext } from '../syscall-table.js';
import { SOL_SOCKET } from './constants.js';

/** struct ucred. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Ancillary {
  readonly credentials: PeerCredentials;
  /** References of the message's own: whoever takes the message takes them over. */
  readonly files: readonly OpenFile[];
}

const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
/** SCM_MAX_FD. */
const FILES_MAX = 253;
const HEADER = 16;
const UCRED = 12;

export function credentialsOfSender({ pid, credentials }: Process): PeerCredentials {
  return { pid, uid: credentials.euid, gid: credentials.egid };
}

export function releaseFiles({ files }: Ancillary): void {
  for (const file of files) file.release();
}

function align(length: number): number {
  return (length + 7) & ~7;
}

/** What the control buffer of sendmsg(2) asks for; -EINVAL, -EBADF, -EPERM. The files have one reference more each. */
export function parseControl(context: SyscallContext, control: Uint8Array): Ancillary | number {
  const view = new DataView(control.buffer, control.byteOffset, control.length);
  let credentials = credentialsOfSender(context.process);
  let files: OpenFile[] = [];
  for (let at = 0; at + HEADER <= control.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    if (length < HEADER || length > control.length - at) return -EINVAL;
    const data = new DataView(control.buffer, control.byteOffset + at + HEADER, length - HEADER);
    at += align(length);
    if (level !== SOL_SOCKET) continue;
    if (type === SCM_RIGHTS) {
      const found = filesNamed(context, data, files.length);
      if (typeof found === 'number') return found;
      files = [...files, ...found];
    } else if (type === SCM_CREDENTIALS) {
      const claimed = claimedCredentials(context, data);
      if (typeof claimed === 'number') return claimed;
      credentials = claimed;
    } else return -EINVAL;
  }
  for (const file of files) file.retain();
  return { credentials, files };
}

function filesNamed({ process }: SyscallContext, data: DataView, before: number): OpenFile[] | number {
  const count = data.byteLength >> 2;
  if (before + count > FILES_MAX) return -EINVAL;
  const files: OpenFile[] = [];
  for (let i = 0; i < count; i++) {
    const file = filesOf(process).get(data.getInt32(4 * i, true));
    if (file === undefined) return -EBADF;
    files.push(file);
  }
  return files;
}

/** One may only claim ids that are one's own (scm_check_creds). */
function claimedCredentials({ machine, process }: SyscallContext, data: DataView): PeerCredentials | number {
  if (data.byteLength !== UCRED) return -EINVAL;
  const claimed = { pid: data.getInt32(0, true), uid: data.getUint32(4, true), gid: data.getUint32(8, true) };
  const { ruid, euid, suid, rgid, egid, sgid } = process.credentials;
  const pidIsMine = claimed.pid === process.pid || capable(process, CAP.SYS_ADMIN);
  const uidIsMine = [ruid, euid, suid].includes(claimed.uid) || capable(process, CAP.SETUID);
  const gidIsMine = [rgid, egid, sgid].includes(claimed.gid) || capable(process, CAP.SETGID);
  if (!pidIsMine || !uidIsMine || !gidIsMine) return -EPERM;
  const exists = claimed.pid === process.pid || [...machine.processes.keys()].some((pid) => pid === claimed.pid);
  return exists ? claimed : -ESRCH;
}

/** A control buffer for recvmsg(2), at most `room` bytes of it used; what finds no room is lost, and the program is told (MSG_CTRUNC). */
interface PackedControl {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
}

/** Gives the files descriptors and packs everything. Takes over the ancillary's references. */
export function packControl(
  { process }: SyscallContext,
  ancillary: Ancillary,
  room: number,
  wants: { readonly credentials: boolean; readonly closeOnExec: boolean },
): PackedControl {
  const parts: Uint8Array[] = [];
  let used = 0;
  let truncated = false;
  const add = (type: number, data: Uint8Array): void => {
    const fits = Math.max(0, Math.min(data.length, room - used - HEADER));
    if (room - used < HEADER) {
      truncated = true;
      return;
    }
    if (fits < data.length) truncated = true;
    const part = header(HEADER + fits, type, data.subarray(0, fits), Math.min(align(HEADER + fits), room - used));
    parts.push(part);
    used += part.length;
  };
  if (wants.credentials) add(SCM_CREDENTIALS, ucred(ancillary.credentials));
  if (ancillary.files.length > 0) {
    const places = Math.max(0, Math.floor((room - used - HEADER) / 4));
    const numbers = installAll(process, ancillary.files, places, wants.closeOnExec);
    if (numbers.length < ancillary.files.length) truncated = true;
    if (numbers.length > 0) add(SCM_RIGHTS, new Uint8Array(Int32Array.from(numbers).buffer));
  }
  return { bytes: joined(parts), truncated };
}

function header(length: number, type: number, data: Uint8Array, total: number): Uint8Array {
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, type, true);
  bytes.set(data, HEADER);
  return bytes;
}

/** Descriptors for as many as there is room; the others are closed. */
function installAll(process: Process, files: readonly OpenFile[], places: number, closeOnExec: boolean): number[] {
  const numbers: number[] = [];
  let full = false;
  for (const file of files) {
    if (full || numbers.length === places) {
      file.release();
      continue;
    }
    const fd = install(process, file, closeOnExec);
    if (fd < 0) full = true;
    else numbers.push(fd);
  }
  return numbers;
}

/** 12 bytes: struct ucred. */
export function ucred({ pid, uid, gid }: PeerCredentials): Uint8Array {
  return new Uint8Array(Uint32Array.of(pid, uid, gid).buffer);
}
