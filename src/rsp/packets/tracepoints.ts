/** Tracepoints: defining, running, and looking at what was recorded (gdb manual, "Tracepoint Packets"). */
import { EINVAL, ENOENT, ESRCH, type Rejected, rejected } from '../error-code.js';
import { MAX_BODY, type PacketContext, type PacketRow, withAbility } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import { DEFAULT_SIZE, MAX_SIZE } from '../tracing/trace-buffer.js';
import type { AddressRange } from '../tracing/trace-frame.js';
import type { TraceRecorder, TraceStop, TraceVariable } from '../tracing/trace-recorder.js';
import { readActions, readTracepoint, type Tracepoint, tracepointPieces } from '../tracing/tracepoint.js';

type TraceHandler = (args: PacketCursor, reply: Reply, context: PacketContext, recorder: TraceRecorder) => void;

/** `QTinit` – a new experiment. */
const init: TraceHandler = (args, reply, { client }, recorder) => {
  args.end();
  recorder.reset();
  client.traceFrame = undefined;
  reply.ok();
};

/** `QTDP:NUMBER:...` defines, `QTDP:-NUMBER:ADDR:ACTIONS` adds to the definition; a `-` at the end says that more follows. */
const define: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const result = args.optional('-') ? addActions(args, recorder) : addTracepoint(args, recorder);
  const more = args.optional('-');
  args.end();
  if ('errno' in result) return reply.error(result.errno, result.reason);
  reply.outcome(more ? undefined : recorder.install(result));
};

function addTracepoint(args: PacketCursor, recorder: TraceRecorder): Tracepoint | Rejected {
  const tracepoint = readTracepoint(args.number(), args);
  if ('invalid' in tracepoint) return rejected(EINVAL, `condition: ${tracepoint.invalid}`);
  return recorder.add(tracepoint) ?? tracepoint;
}

function addActions(args: PacketCursor, recorder: TraceRecorder): Tracepoint | Rejected {
  const tracepoint = readName(args, recorder);
  args.colon();
  if (tracepoint === undefined) return args.malformed('no such tracepoint');
  const problem = readActions(tracepoint, args);
  return problem === undefined ? tracepoint : rejected(EINVAL, `action: ${problem.invalid}`);
}

/** `NUMBER:ADDR` */
function readName(args: PacketCursor, recorder: TraceRecorder): Tracepoint | undefined {
  const number = args.number();
  args.colon();
  return recorder.tracepoint(number, args.address());
}

/** `QTDPsrc:NUMBER:ADDR:TYPE:START:LENGTH:HEX` – a piece of what the user typed. */
const source: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const tracepoint = readName(args, recorder);
  args.colon();
  const type = args.textUntil(':');
  args.colon();
  const start = args.number();
  args.colon();
  args.number();
  args.colon();
  const text = args.hexText();
  args.end();
  if (tracepoint === undefined) return reply.error(ENOENT);
  if (!/^[a-z]{1,16}$/.test(type)) return reply.error(EINVAL);
  const last = tracepoint.sources.at(-1);
  if (start > 0 && last?.type === type) last.text += text;
  else tracepoint.sources.push({ type, text });
  reply.ok();
};

/** `QTDV:NUMBER:VALUE:BUILTIN:NAME` – a trace state variable. */
const declareVariable: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const number = args.number();
  args.colon();
  const initial = args.bigint();
  args.colon();
  const builtin = args.number() !== 0;
  const name = args.optional(':') ? args.hexText() : '';
  args.end();
  reply.outcome(recorder.declare({ number, initial, builtin, name }));
};

/** `QTro:START,END:...` – memory that no program changes. */
const constantMemory: TraceHandler = (args, reply, _context, recorder) => {
  const ranges: AddressRange[] = [];
  while (args.optional(':')) {
    const start = args.address();
    args.comma();
    ranges.push({ start, end: args.address() });
  }
  args.end();
  recorder.constantMemory = ranges;
  reply.ok();
};

const disconnected: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  recorder.disconnected = args.number() !== 0;
  args.end();
  reply.ok();
};

/** `QTBuffer:circular:0|1`, `QTBuffer:size:BYTES` with -1 for the usual size. */
const buffer: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const what = args.textUntil(':');
  args.colon();
  const usual = what === 'size' && args.optional('-');
  const value = args.length();
  args.end();
  if (what === 'circular') recorder.buffer.circular = value !== 0;
  else if (what !== 'size') return reply.error(EINVAL);
  else if (recorder.running) return reply.error(EINVAL, 'tracing runs');
  else if (!usual && value > MAX_SIZE) return reply.error(EINVAL, 'too large');
  else recorder.buffer.resize(usual ? DEFAULT_SIZE : value);
  reply.ok();
};

/** `QTNotes:user:HEX;notes:HEX;tstop:HEX;`, any of them. */
const notes: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  while (!args.atEnd) {
    const field = args.textUntil(':');
    args.colon();
    const text = args.hexText();
    if (field !== 'user' && field !== 'notes' && field !== 'tstop') return reply.error(EINVAL);
    recorder.notes[field] = text;
    if (!args.optional(';')) args.end();
  }
  reply.ok();
};

const start: TraceHandler = (args, reply, context, recorder) => {
  args.end();
  const pid = context.currentThread()?.pid;
  if (pid === undefined) return reply.error(ESRCH);
  context.client.traceFrame = undefined;
  reply.outcome(recorder.start(pid));
};

const stop: TraceHandler = (args, reply, _context, recorder) => {
  args.end();
  recorder.stop({ kind: 'tstop' });
  reply.ok();
};

/** `QTEnable:NUMBER:ADDR` and `QTDisable`, also while tracing runs. */
function enable(on: boolean): TraceHandler {
  return (args, reply, _context, recorder) => {
    args.colon();
    const tracepoint = readName(args, recorder);
    args.end();
    if (tracepoint === undefined) return reply.error(ENOENT);
    tracepoint.enabled = on;
    reply.ok();
  };
}

/** `qTStatus` */
const status: TraceHandler = (args, reply, _context, recorder) => {
  args.end();
  const { notes: texts, buffer: frames } = recorder;
  const hex = (value: number): string => value.toString(16);
  const text = (value: string): string => Buffer.from(value).toString('hex');
  reply.text(
    [
      recorder.running ? 'T1' : 'T0',
      stopReason(recorder.stopped, texts.tstop),
      `tframes:${hex(frames.count)}`,
      `tcreated:${hex(frames.created)}`,
      `tfree:${hex(frames.free)}`,
      `tsize:${hex(frames.size)}`,
      `circular:${frames.circular ? 1 : 0}`,
      `disconn:${recorder.disconnected ? 1 : 0}`,
      `starttime:${hex(recorder.startTime)}`,
      `stoptime:${hex(recorder.stopTime)}`,
      `username:${text(texts.user)}`,
      `notes:${text(texts.notes)}:`,
    ].join(';'),
  );
};

function stopReason(reason: TraceStop, note: string): string {
  switch (reason.kind) {
    case 'tstop':
      return `tstop:${Buffer.from(note).toString('hex')}:0`;
    case 'tpasscount':
      return `tpasscount:${reason.tracepoint.toString(16)}`;
    case 'terror':
      return `terror:${Buffer.from(reason.reason).toString('hex')}:${reason.tracepoint.toString(16)}`;
    default:
      return `${reason.kind}:0`;
  }
}

/** `qTP:NUMBER:ADDR` – hits and bytes. */
const usage: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const tracepoint = readName(args, recorder);
  args.end();
  if (tracepoint === undefined) return reply.error(ENOENT);
  reply.text(`V${tracepoint.hits.toString(16)}:${tracepoint.usage.toString(16)}`);
};

/** `qTV:NUMBER` – in the frame that the client looks at, else now. */
const variable: TraceHandler = (args, reply, { client }, recorder) => {
  args.colon();
  const number = args.number();
  args.end();
  const { traceFrame } = client;
  const value = traceFrame === undefined ? recorder.readVariable(number) : recorder.view(traceFrame)?.variable(number);
  reply.text(value === undefined ? 'U' : `V${value.toString(16)}`);
};

/** `QTFrame:N`, `:pc:ADDR`, `:tdp:NUMBER`, `:range:START:END`, `:outside:START:END` – the last four look behind the present frame. */
const selectFrame: TraceHandler = (args, reply, { client }, recorder) => {
  args.colon();
  const after = client.traceFrame;
  let found: number | undefined;
  if (args.keyword('pc:')) {
    const pc = args.address();
    found = recorder.findByPc(after, { start: pc, end: pc }, true);
  } else if (args.keyword('tdp:')) {
    found = recorder.findByTracepoint(after, args.number());
  } else if (args.keyword('range:')) {
    found = recorder.findByPc(after, readRange(args), true);
  } else if (args.keyword('outside:')) {
    found = recorder.findByPc(after, readRange(args), false);
  } else {
    const index = args.optional('-') ? 0xffff_ffff : args.number();
    if (index === 0xffff_ffff) {
      client.traceFrame = undefined;
      return reply.ok();
    }
    found = index;
  }
  args.end();
  const frame = found === undefined ? undefined : recorder.buffer.get(found);
  if (found === undefined || frame === undefined) return void reply.text('F-1');
  client.traceFrame = found;
  reply.text(`F${found.toString(16)}T${frame.tracepoint.toString(16)}`);
};

/** Both ends belong to it. */
function readRange(args: PacketCursor): AddressRange {
  const first = args.address();
  args.colon();
  return { start: first, end: args.address() };
}

/** `qTBuffer:OFFSET,LENGTH` – the frames as a trace file has them; `l` behind the end. */
const rawBuffer: TraceHandler = (args, reply, _context, recorder) => {
  args.colon();
  const offset = args.length();
  args.comma();
  const length = Math.min(args.length(), MAX_BODY >> 1);
  args.end();
  const bytes = recorder.buffer.raw(offset, length);
  if (bytes.length === 0) reply.text('l');
  else reply.hex(bytes);
};

/** `qTfP`, `qTfV` begin a list, `qTsP`, `qTsV` go on; `l` ends it. */
function firstPiece(pieces: (recorder: TraceRecorder) => readonly string[]): TraceHandler {
  return (args, reply, context, recorder) => {
    args.end();
    context.client.pieces = pieces(recorder);
    nextPiece(args, reply, context, recorder);
  };
}

const nextPiece: TraceHandler = (args, reply, { client }) => {
  args.end();
  const [piece = 'l', ...rest] = client.pieces;
  client.pieces = rest;
  reply.text(piece);
};

function variablePiece({ number, initial, builtin, name }: TraceVariable): string {
  return `${number.toString(16)}:${initial.toString(16)}:${builtin ? 1 : 0}:${Buffer.from(name).toString('hex')}`;
}

const minimumFastLength: TraceHandler = (args, reply) => {
  args.end();
  reply.text('1'); // nothing is replaced, so any instruction will do
};

const ROWS: readonly (readonly [prefix: string, handle: TraceHandler, advertises?: string])[] = [
  ['QTinit', init],
  ['QTDP', define, 'ConditionalTracepoints+;FastTracepoints+;InstallInTrace+;tracenz+'],
  ['QTDPsrc', source, 'TracepointSource+'],
  ['QTDV', declareVariable, 'TraceStateVariables+'],
  ['QTro', constantMemory],
  ['QTDisconnected', disconnected, 'DisconnectedTracing+'],
  ['QTBuffer', buffer, 'QTBuffer:size+'],
  ['QTNotes', notes],
  ['QTStart', start],
  ['QTStop', stop],
  ['QTEnable', enable(true), 'EnableDisableTracepoints+'],
  ['QTDisable', enable(false)],
  ['QTFrame', selectFrame],
  ['qTStatus', status],
  ['qTP', usage],
  ['qTV', variable],
  ['qTBuffer', rawBuffer],
  ['qTfP', firstPiece(({ tracepoints }) => tracepoints.flatMap(tracepointPieces))],
  ['qTsP', nextPiece],
  ['qTfV', firstPiece(({ variables }) => variables.map(variablePiece).reverse())], // newest first, as gdbserver
  ['qTsV', nextPiece],
  ['qTMinFTPILen', minimumFastLength],
];

export const tracepointPackets: readonly PacketRow[] = ROWS.map(([prefix, handle, advertises]) => {
  return withAbility('tracing', { prefix, handle, ...(advertises === undefined ? {} : { advertises }) });
});
