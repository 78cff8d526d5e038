/** lldb's own packets, as far as its `gdb-remote` uses them (lldb's page on its extensions of the protocol). */
import { EFAULT, EINVAL, ESRCH, isRejected } from '../error-code.js';
import { threadsAsJson } from '../lldb-stop.js';
import { MAX_BODY, type PacketContext, type PacketRow, refusesWrite, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import { fittingLength, type Reply } from '../reply.js';
import { addressOfRDebugPointer } from '../svr4-libraries.js';
import type { Identities, MemoryMap } from '../target-abilities.js';
import { readThreadSelector, selects } from '../thread-id.js';
import { readThreadSuffix, writeRegisters } from './registers.js';

const TRIPLE = 'x86_64-pc-linux-gnu';
const PAGE_SIZE = 4096;
/** The general registers, rip and eflags, which are the first: what unwinding looks at. */
const GENERAL = 18;
/** Register states that a client may keep at once. */
const MAX_SAVED = 64;

/** `name:value;` for each; text that may hold anything goes in hex. */
function pairs(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}:${value};`)
    .join('');
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** `qHostInfo` – the guest's machine, not the one that we run on. */
function hostInfo(args: PacketCursor, reply: Reply, _context: PacketContext, { hostname }: Identities): void {
  args.end();
  reply.text(
    pairs({
      triple: hex(TRIPLE),
      ostype: 'linux',
      endian: 'little',
      ptrsize: 8,
      'vm-page-size': PAGE_SIZE,
      watchpoint_exceptions_received: 'after',
      hostname: hex(hostname),
    }),
  );
}

/** `qProcessInfo` – the current process, with the guest's pid. */
function processInfo(args: PacketCursor, reply: Reply, context: PacketContext, identities: Identities): void {
  args.end();
  const pid = context.currentThread()?.pid;
  const who = pid === undefined ? undefined : identities.of(pid);
  if (pid === undefined || who === undefined) return reply.error(ESRCH);
  reply.text(
    pairs({
      pid: pid.toString(16),
      'parent-pid': who.parent.toString(16),
      'real-uid': who.uid.toString(16),
      'real-gid': who.gid.toString(16),
      'effective-uid': who.euid.toString(16),
      'effective-gid': who.egid.toString(16),
      triple: hex(TRIPLE),
      ostype: 'linux',
      endian: 'little',
      ptrsize: 8,
    }),
  );
}

/** `QThreadSuffixSupported` – register packets may name their thread; they always may. */
function threadSuffix(args: PacketCursor, reply: Reply, { client }: PacketContext): void {
  args.end();
  client.isLldb = true;
  reply.ok();
}

/** `QListThreadsInStopReply` */
function listThreads(args: PacketCursor, reply: Reply, { client }: PacketContext): void {
  args.end();
  client.listsThreads = true;
  reply.ok();
}

/** `QEnableErrorStrings` – from now on, errors say why. */
function enableErrorStrings(args: PacketCursor, reply: Reply): void {
  args.end();
  reply.hexReasons = true;
  reply.ok();
}

/** `qMemoryRegionInfo:ADDR` – the mapping or gap around an address. */
function memoryRegion(args: PacketCursor, reply: Reply, context: PacketContext, map: MemoryMap): void {
  args.colon();
  const address = args.address();
  args.end();
  const pid = context.currentThread()?.pid;
  const region = pid === undefined ? undefined : map.region(pid, address);
  if (region === undefined) return reply.error(ESRCH);
  const { start, end, permissions, name } = region;
  reply.text(`start:${start.toString(16)};size:${(end - start).toString(16)};`);
  if (permissions !== undefined) reply.text(`permissions:${permissions};flags:;`);
  if (name !== undefined && name !== '') reply.text(`name:${hex(name)};`);
}

/**
 * `x ADDR,LENGTH` – read memory in binary. lldb asks with length 0 whether it exists, and takes the bytes as they are; gdb, which uses it
 * from 16 on if we say `binary-upload+`, wants a `b` before them.
 */
function readBinary(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const at = args.address();
  args.comma();
  const wanted = Math.min(args.length(), context.scratch.length);
  args.end();
  const forGdb = !context.client.isLldb;
  const pid = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  if (wanted === 0) return void (forGdb ? reply.text('b') : reply.ok());
  const into = context.scratch.subarray(0, wanted);
  const got = context.view.readMemory(pid, at, into);
  if (got === 0) return reply.error(EFAULT);
  if (forGdb) reply.text('b');
  const bytes = into.subarray(0, got);
  reply.binary(bytes.subarray(0, fittingLength(bytes, MAX_BODY - 1)));
}

/** `jThreadsInfo` – all that is known of the threads of the process, in one trip. */
function threadsInfo(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  const current = context.currentThread();
  if (current === undefined) return reply.error(ESRCH);
  const general = context.target.registers(current.pid).slice(0, GENERAL);
  reply.binary(Buffer.from(threadsAsJson(context.target, current, context.client.lastStop, general)));
}

/** `qThreadStopInfoTID` – the stop reply of one thread; of one that only stopped with the others, without a signal. */
function threadStopInfo(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const selector = readThreadSelector(args);
  args.end();
  const { client, target } = context;
  const thread = target.threads().find((candidate) => selects(selector, candidate));
  if (thread === undefined) return reply.error(ESRCH);
  const { lastStop, general } = client;
  const isLast = lastStop !== undefined && 'thread' in lastStop && lastStop.thread.tid === thread.tid;
  context.answerStop(isLast ? lastStop : { kind: 'paused', thread }, reply);
  client.lastStop = lastStop;
  client.general = general;
}

/** `QSaveRegisterState[;thread:ID;]` – keeps a thread's registers and answers with a number for them. */
function saveRegisters(args: PacketCursor, reply: Reply, context: PacketContext): void {
  const thread = readThreadSuffix(args, context);
  args.end();
  const { client, target } = context;
  if (thread === undefined) return reply.error(ESRCH);
  if (client.savedRegisters.size >= MAX_SAVED) return reply.error(EINVAL, 'too many register states are kept');
  const values = target.registers(thread.pid).map((row) => {
    const value = Buffer.alloc(row.bits / 8);
    target.readRegister(thread, row, value);
    return value;
  });
  let number = 1;
  while (client.savedRegisters.has(number)) number++;
  client.savedRegisters.set(number, Buffer.concat(values));
  reply.text(`${number}`);
}

/** `QRestoreRegisterState:NUMBER[;thread:ID;]` – once. The number is decimal, unlike all others. */
function restoreRegisters(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.colon();
  const digits = args.textUntil(';');
  const thread = readThreadSuffix(args, context);
  args.end();
  if (!/^\d{1,9}$/.test(digits)) args.malformed('no decimal number');
  const { savedRegisters } = context.client;
  const values = savedRegisters.get(Number(digits));
  if (thread === undefined) return reply.error(ESRCH);
  if (values === undefined) return reply.error(EINVAL, 'no such register state');
  if (refusesWrite(context, reply)) return;
  savedRegisters.delete(Number(digits));
  writeRegisters(thread, values, reply, context);
}

/** `_M SIZE,PERMISSIONS` and `_m ADDR` – memory in the program for the debugger's use: compiled expressions and their data. */
function allocation(args: PacketCursor, reply: Reply, context: PacketContext, map: MemoryMap): void {
  const pid = context.currentThread()?.pid;
  const allocates = args.optional('M');
  if (!allocates) args.expect('m');
  const number = args.bigint();
  const permissions = allocates && args.optional(',') ? args.restText() : '';
  args.end();
  if (pid === undefined) return reply.error(ESRCH);
  if (refusesWrite(context, reply)) return;
  if (!allocates) return reply.outcome(map.release(pid, number));
  if (number === 0n || number > 0xffff_ffffn || !/^[rwx]*$/.test(permissions)) return reply.error(EINVAL);
  const found = map.allocate(pid, Number(number), permissions);
  if (isRejected(found)) reply.error(found.errno, found.reason);
  else reply.text(found.address.toString(16));
}

/** `qShlibInfoAddr` – where the pointer to the dynamic linker's list stands. */
function libraryListAddress(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.end();
  const pid = context.currentThread()?.pid;
  const place = pid === undefined ? undefined : addressOfRDebugPointer(context.target, pid);
  if (place === undefined) reply.error(EFAULT);
  else reply.text(place.toString(16));
}

export const lldbPackets: readonly PacketRow[] = [
  withAbility('identities', { prefix: 'qHostInfo', handle: hostInfo }),
  withAbility('identities', { prefix: 'qProcessInfo', handle: processInfo }),
  { prefix: 'QThreadSuffixSupported', advertises: 'QThreadSuffixSupported+', handle: threadSuffix },
  { prefix: 'QListThreadsInStopReply', advertises: 'QListThreadsInStopReply+', handle: listThreads },
  { prefix: 'QEnableErrorStrings', handle: enableErrorStrings },
  withAbility('memoryMap', { prefix: 'qMemoryRegionInfo', handle: memoryRegion }),
  withAbility('memoryMap', { prefix: '_', handle: allocation }),
  { prefix: 'x', advertises: 'binary-upload+', handle: readBinary },
  { prefix: 'jThreadsInfo', handle: threadsInfo },
  { prefix: 'qThreadStopInfo', joined: true, handle: threadStopInfo },
  { prefix: 'QSaveRegisterState', handle: saveRegisters },
  { prefix: 'QRestoreRegisterState', handle: restoreRegisters },
  { prefix: 'qShlibInfoAddr', handle: libraryListAddress },
];
