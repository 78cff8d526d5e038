/** `qXfer`: documents about target, process and threads, read piece by piece (gdb manual, "General Query Packets", qXfer). */

import type { Pid } from '../../types.js';
import { escapeXml } from '../document.js';
import { EINVAL, ENOENT, ESRCH, isRejected, type Rejected, rejected } from '../error-code.js';
import { MAX_BODY, type PacketContext, type PacketRow } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import { fittingLength, type Reply } from '../reply.js';
import { type LibraryListStart, svr4LibraryList } from '../svr4-libraries.js';
import type { Ability } from '../target.js';
import { targetDescription } from '../target-description.js';
import { formatThreadId } from '../thread-id.js';

/** One object that can be read. */
interface ObjectRow {
  readonly name: string;
  readonly needs?: Ability;
  read(annex: string, context: PacketContext): Uint8Array | string | Rejected;
}

function currentPid(context: PacketContext): Pid | undefined {
  return context.currentThread()?.pid;
}

/** The first process will do: all of them have the same registers. Before there is one, gdb asks again later. */
function features(annex: string, context: PacketContext): string | Rejected {
  const pid = currentPid(context);
  if (annex !== 'target.xml') return rejected(ENOENT);
  if (pid === undefined) return rejected(ESRCH);
  context.client.readsDescriptions = true;
  return targetDescription(context.target.registers(pid), context.client.isLldb);
}

function auxv(annex: string, context: PacketContext): Uint8Array | Rejected {
  const pid = currentPid(context);
  if (annex !== '') return rejected(EINVAL);
  return (pid === undefined ? undefined : context.target.auxv(pid)) ?? rejected(ESRCH);
}

/** The annex is the process's id in hex, or empty for the current one. */
function execFile(annex: string, context: PacketContext): string | Rejected {
  if (!/^[0-9a-f]*$/i.test(annex)) return rejected(EINVAL);
  const wanted = annex === '' ? currentPid(context) : Number.parseInt(annex, 16);
  const process = context.target.processes().find(({ pid }) => pid === wanted);
  return (process && context.target.executable(process.pid)) ?? rejected(ESRCH);
}

function libraries(annex: string, context: PacketContext): string | Rejected {
  const pid = currentPid(context);
  const start = readLibraryStart(annex);
  if (start === undefined) return rejected(EINVAL);
  return (pid === undefined ? undefined : svr4LibraryList(context.target, pid, start)) ?? rejected(ENOENT);
}

/** `start=ADDR;prev=ADDR;lmid=ADDR`, any of them, in any order. */
function readLibraryStart(annex: string): LibraryListStart | undefined {
  const start: { start?: bigint; prev?: bigint; lmid?: bigint } = {};
  for (const part of annex.split(';').filter((text) => text !== '')) {
    const [, name, digits] = /^(start|prev|lmid)=([0-9a-f]{1,16})$/i.exec(part) ?? [];
    if (name === undefined) return undefined;
    start[name as keyof LibraryListStart] = BigInt(`0x${digits}`);
  }
  return start;
}

function threads(annex: string, { client, target }: PacketContext): string | Rejected {
  if (annex !== '') return rejected(EINVAL);
  const rows = target.threads().map((thread) => {
    const id = formatThreadId(thread, client.multiprocess);
    const name = thread.name === undefined ? '' : ` name="${escapeXml(thread.name)}"`;
    return `<thread id="${id}" core="${thread.core}"${name}/>\n`;
  });
  return `<threads>\n${rows.join('')}</threads>\n`;
}

function sigInfo(annex: string, context: PacketContext): Uint8Array | Rejected {
  const thread = context.currentThread();
  if (annex !== '') return rejected(EINVAL);
  return (thread && context.target.sigInfo?.read(thread)) ?? rejected(ESRCH);
}

/** Tables of `info os`; the empty annex lists them. */
function osData(annex: string, { target }: PacketContext): string | Rejected {
  const ability = target.osData;
  if (ability === undefined) return rejected(ENOENT);
  const types = {
    columns: ['Type', 'Description', 'Title'],
    rows: ability.tables.map(({ name, description, title }) => [name, description, title]),
  };
  const table = annex === '' ? types : ability.read(annex);
  // Of a table that there is not gdb warns by itself when it gets nothing, as from gdbserver.
  if (table === undefined) return '';
  const items = table.rows.map((row) => {
    const columns = table.columns.map(
      (name, i) => `<column name="${escapeXml(name)}">${escapeXml(row[i] ?? '')}</column>`,
    );
    return `<item>\n${columns.join('\n')}\n</item>\n`;
  });
  const type = annex === '' ? 'types' : annex;
  return `<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "osdata.dtd">\n<osdata type="${escapeXml(type)}">\n${items.join('')}</osdata>\n`;
}

/** Of the frame that the client looks at. */
function traceFrameInfo(annex: string, { client, target }: PacketContext): string | Rejected {
  if (annex !== '') return rejected(EINVAL);
  const view = client.traceFrame === undefined ? undefined : target.tracing?.view(client.traceFrame);
  return view?.info() ?? rejected(ENOENT);
}

const OBJECTS: readonly ObjectRow[] = [
  { name: 'features', read: features },
  { name: 'auxv', read: auxv },
  { name: 'exec-file', read: execFile },
  { name: 'libraries-svr4', read: libraries },
  { name: 'threads', read: threads },
  { name: 'siginfo', needs: 'sigInfo', read: sigInfo },
  { name: 'osdata', needs: 'osData', read: osData },
  { name: 'traceframe-info', needs: 'tracing', read: traceFrameInfo },
];

/** `qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH` – `m` and a piece, or `l` and the last one. */
function readRow({ name, needs, read }: ObjectRow): PacketRow {
  return {
    prefix: `qXfer:${name}:read`,
    advertises: `qXfer:${name}:read+`,
    ...(needs === undefined ? {} : { needs }),
    handle(args, reply, context) {
      args.colon();
      const annex = args.textUntil(':');
      args.colon();
      const offset = args.length();
      args.comma();
      const length = args.length();
      args.end();
      const bytes = documentBytes(`${name}:${annex}`, offset, context, () => read(annex, context));
      if (isRejected(bytes)) reply.error(bytes.errno, bytes.reason);
      else answerPiece(bytes, offset, length, reply);
    },
  };
}

/** Made anew for the first piece, so that a client that starts again sees the present state. */
function documentBytes(
  key: string,
  offset: number,
  context: PacketContext,
  make: () => Uint8Array | string | Rejected,
): Uint8Array | Rejected {
  if (offset > 0 && context.document?.key === key) return context.document.bytes;
  const made = make();
  if (typeof made !== 'string' && isRejected(made)) return made;
  const bytes = typeof made === 'string' ? Buffer.from(made) : made;
  context.document = { key, bytes };
  return bytes;
}

function answerPiece(bytes: Uint8Array, offset: number, length: number, reply: Reply): void {
  if (offset > bytes.length) return reply.error(EINVAL, 'offset behind the end');
  const wanted = bytes.subarray(offset, offset + length);
  const piece = wanted.subarray(0, fittingLength(wanted, MAX_BODY));
  const last = offset + piece.length === bytes.length;
  reply.text(last ? 'l' : 'm').binary(piece);
}

/** `qXfer:siginfo:write::OFFSET:BYTES` – answers how many bytes were taken. */
function writeSigInfo(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.colon();
  args.colon();
  const offset = args.length();
  args.colon();
  const bytes = args.rest();
  const thread = context.currentThread();
  if (thread === undefined) return reply.error(ESRCH);
  const refusal = context.target.sigInfo?.write(thread, offset, bytes);
  if (refusal === undefined) reply.text(bytes.length.toString(16));
  else reply.error(refusal.errno, refusal.reason);
}

export const xferPackets: readonly PacketRow[] = [
  ...OBJECTS.map(readRow),
  { prefix: 'qXfer:siginfo:write', needs: 'sigInfo', advertises: 'qXfer:siginfo:write+', handle: writeSigInfo },
];
