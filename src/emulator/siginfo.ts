/** siginfo_t as the guest sees it: 128 bytes (asm-generic/siginfo.h, 64-bit layout: the union begins at offset 16). */
import { CLD, SI, SIGNAL, type SigFields, type SigInfo } from './signals.js';

export const SIGINFO_BYTES = 128;
const UNION = 16;

export function encodeSigInfo(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, info.signal, true);
  view.setInt32(4, info.errno, true);
  view.setInt32(8, info.code, true);
  encodeFields(view, info.fields);
  return bytes;
}

function encodeFields(view: DataView, fields: SigFields): void {
  switch (fields.kind) {
    case 'kill':
      view.setInt32(UNION, fields.pid, true);
      view.setUint32(UNION + 4, fields.uid, true);
      return;
    case 'queue':
      view.setInt32(UNION, fields.pid, true);
      view.setUint32(UNION + 4, fields.uid, true);
      view.setBigUint64(UNION + 8, BigInt.asUintN(64, fields.value), true);
      return;
    case 'timer':
      view.setInt32(UNION, fields.id, true);
      view.setInt32(UNION + 4, fields.overrun, true);
      view.setBigUint64(UNION + 8, BigInt.asUintN(64, fields.value), true);
      return;
    case 'child':
      view.setInt32(UNION, fields.pid, true);
      view.setUint32(UNION + 4, fields.uid, true);
      view.setInt32(UNION + 8, fields.status, true);
      view.setBigInt64(UNION + 16, BigInt(fields.utime), true);
      view.setBigInt64(UNION + 24, BigInt(fields.stime), true);
      return;
    case 'fault':
      view.setBigUint64(UNION, BigInt.asUintN(64, BigInt(fields.address)), true);
      return;
    case 'poll':
      view.setBigInt64(UNION, BigInt(fields.band), true);
      view.setInt32(UNION + 8, fields.fd, true);
      return;
    default:
      new Uint8Array(view.buffer, view.byteOffset).set(fields.bytes, UNION);
  }
}

/** The signal's own number wins over the one in the bytes, as in rt_sigqueueinfo(2). */
export function decodeSigInfo(bytes: Uint8Array, signal?: number): SigInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = signal ?? view.getInt32(0, true);
  const code = view.getInt32(8, true);
  return { signal: number, errno: view.getInt32(4, true), code, fields: decodeFields(view, number, code) };
}

/** Which member of the union is meant follows from signal and code (kernel/signal.c, siginfo_layout). */
function decodeFields(view: DataView, signal: number, code: number): SigFields {
  const pid = view.getInt32(UNION, true);
  const uid = view.getUint32(UNION + 4, true);
  const value = view.getBigUint64(UNION + 8, true);
  if (code === SI.USER || code === SI.KERNEL || code === SI.TKILL) return { kind: 'kill', pid, uid };
  if (code === SI.QUEUE || code === SI.MESGQ) return { kind: 'queue', pid, uid, value };
  if (code === SI.TIMER) return { kind: 'timer', id: pid, overrun: view.getInt32(UNION + 4, true), value };
  if (signal === SIGNAL.CHLD && code >= CLD.EXITED && code <= CLD.CONTINUED) {
    const status = view.getInt32(UNION + 8, true);
    const utime = Number(view.getBigInt64(UNION + 16, true));
    return { kind: 'child', pid, uid, status, utime, stime: Number(view.getBigInt64(UNION + 24, true)) };
  }
  return { kind: 'raw', bytes: new Uint8Array(view.buffer, view.byteOffset + UNION, SIGINFO_BYTES - UNION).slice() };
}
