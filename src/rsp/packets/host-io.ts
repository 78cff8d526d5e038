/** `vFile`: the files that the program sees (gdb manual, "Host I/O Packets"). Results are `F` and numbers in hex. */
import type { Pid } from '../../types.js';
import { EBADF, EINVAL, EMFILE, isRejected, type Rejected } from '../error-code.js';
import { encodeStat, fileIoErrno, openMode } from '../file-io.js';
import { MAX_BODY, type PacketContext, type PacketRow, withAbility } from '../packet.js';
import { MalformedPacket, type PacketCursor } from '../packet-cursor.js';
import { fittingLength, type Reply } from '../reply.js';
import type { HostFile, HostIo } from '../target-abilities.js';

/** `F` and up to 16 digits, `;`. */
const HEAD_ROOM = 20;

function result(reply: Reply, value: number): void {
  reply.text(`F${value.toString(16)}`);
}

function failure(reply: Reply, errno: number): void {
  reply.text(`F-1,${fileIoErrno(errno).toString(16)}`);
}

function outcome(reply: Reply, refusal: Rejected | undefined): void {
  if (refusal === undefined) result(reply, 0);
  else failure(reply, refusal.errno);
}

/** `F COUNT;BYTES`, as many as fit. */
function attachment(reply: Reply, bytes: Uint8Array): void {
  const count = fittingLength(bytes, MAX_BODY - HEAD_ROOM);
  reply.text(`F${count.toString(16)};`).binary(bytes.subarray(0, count));
}

/** `vFile:setfs:PID` – whose files; 0 is the server's own view. */
function setFileSystem(args: PacketCursor, reply: Reply, { client }: PacketContext): void {
  const pid = args.number();
  args.end();
  client.fileSystemOf = pid === 0 ? undefined : (pid as Pid);
  result(reply, 0);
}

/** `vFile:open:PATH,FLAGS,MODE` */
function open(args: PacketCursor, reply: Reply, { client, files }: PacketContext, hostIo: HostIo): void {
  const path = args.hexText();
  args.comma();
  const flags = args.number();
  args.comma();
  const mode = openMode(flags, args.number());
  args.end();
  if (mode === undefined) return failure(reply, EINVAL);
  if (files.full) return failure(reply, EMFILE);
  const file = hostIo.open(client.fileSystemOf, path, mode);
  if (isRejected(file)) failure(reply, file.errno);
  else result(reply, files.add(file));
}

/** `vFile:close:FD` */
function close(args: PacketCursor, reply: Reply, { files }: PacketContext): void {
  const descriptor = args.number();
  args.end();
  if (files.close(descriptor)) result(reply, 0);
  else failure(reply, EBADF);
}

/** `vFile:pread:FD,COUNT,OFFSET` */
function read(args: PacketCursor, reply: Reply, { files, scratch }: PacketContext): void {
  const file = files.get(args.number());
  args.comma();
  const count = Math.min(args.length(), scratch.length);
  args.comma();
  const offset = args.length();
  args.end();
  if (file === undefined) return failure(reply, EBADF);
  const into = scratch.subarray(0, count);
  const got = file.read(offset, into);
  if (typeof got === 'number') attachment(reply, into.subarray(0, got));
  else failure(reply, got.errno);
}

/** `vFile:pwrite:FD,OFFSET,BYTES` */
function write(args: PacketCursor, reply: Reply, { files }: PacketContext): void {
  const file = files.get(args.number());
  args.comma();
  const offset = args.length();
  args.comma();
  const bytes = args.rest();
  if (file === undefined) return failure(reply, EBADF);
  const written = file.write(offset, bytes);
  if (typeof written === 'number') result(reply, written);
  else failure(reply, written.errno);
}

/** `vFile:fstat:FD` – without it gdb takes every file for endless. */
function status(args: PacketCursor, reply: Reply, { files }: PacketContext): void {
  const file: HostFile | undefined = files.get(args.number());
  args.end();
  if (file === undefined) return failure(reply, EBADF);
  const stat = file.stat();
  if (isRejected(stat)) failure(reply, stat.errno);
  else attachment(reply, encodeStat(stat));
}

/** `vFile:unlink:PATH` */
function unlink(args: PacketCursor, reply: Reply, { client }: PacketContext, hostIo: HostIo): void {
  const path = args.hexText();
  args.end();
  outcome(reply, hostIo.unlink(client.fileSystemOf, path));
}

/** `vFile:readlink:PATH` */
function readLink(args: PacketCursor, reply: Reply, { client }: PacketContext, hostIo: HostIo): void {
  const path = args.hexText();
  args.end();
  const target = hostIo.readLink(client.fileSystemOf, path);
  if (typeof target === 'string') attachment(reply, Buffer.from(target));
  else failure(reply, target.errno);
}

const OPERATIONS = [
  ['setfs', setFileSystem],
  ['open', open],
  ['close', close],
  ['pread', read],
  ['pwrite', write],
  ['fstat', status],
  ['unlink', unlink],
  ['readlink', readLink],
] as const;

/** A client that parses `F` replies gets one for a malformed packet too, as gdbserver answers (hostio.cc, hostio_packet_error). */
export const hostIoPackets: readonly PacketRow[] = OPERATIONS.map(([name, operate]) => {
  return withAbility('hostIo', {
    prefix: `vFile:${name}`,
    handle(args, reply, context, hostIo) {
      try {
        args.colon();
        operate(args, reply, context, hostIo);
      } catch (error) {
        if (!(error instanceof MalformedPacket)) throw error;
        failure(reply, EINVAL);
      }
    },
  });
});
