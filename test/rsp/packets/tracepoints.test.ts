import { beforeEach, describe, expect, test } from 'vitest';
import { registerNamed } from '../../../src/register-set.js';
import { Conversation, GDB_13 } from '../conversation.js';
import { MAIN } from '../fake-target.js';
import { TracingTarget } from '../tracing-target.js';

const HOT = 0x40_0143n;
const HERE = HOT.toString(16);

let target: TracingTarget;
let conversation: Conversation;

beforeEach(() => {
  target = new TracingTarget();
  conversation = Conversation.open(GDB_13, target);
});

const ask = (packet: string): string | undefined => conversation.ask(packet);

/** All of them must be accepted. */
function tell(...packets: readonly string[]): void {
  for (const packet of packets) expect(ask(packet), packet).toBe('OK');
}

function hit(number = 2, address = HOT): number {
  return target.tracing.hit(MAIN, number, address);
}

const status = (): string => /^T\d;[^;]*;tframes:[^;]*;tcreated:[^;]*/.exec(ask('qTStatus') ?? '')?.[0] ?? '';

test('what is advertised', () => {
  const features = (ask(`qSupported:${GDB_13}`) ?? '').split(';');
  expect(features).toEqual(
    expect.arrayContaining([
      'ConditionalTracepoints+', 'FastTracepoints+', 'InstallInTrace+', 'tracenz+', 'TracepointSource+', 'TraceStateVariables+',
      'DisconnectedTracing+', 'QTBuffer:size+', 'EnableDisableTracepoints+', 'qXfer:traceframe-info:read+',
    ]),
  ); // biome-ignore format: a list
});

test('before any experiment', () => {
  expect(ask('qTStatus')).toBe(
    'T0;tnotrun:0;tframes:0;tcreated:0;tfree:500000;tsize:500000;circular:0;disconn:0;starttime:0;stoptime:0;username:;notes::',
  );
  expect(ask('qTfV')).toBe('1:0:1:74726163655f74696d657374616d70');
  expect(ask('qTsV')).toBe('l');
  expect(ask('qTfP')).toBe('l');
  expect(ask('qTMinFTPILen')).toBe('1');
});

test('variables are listed newest first, as gdbserver does: MI clients see them created in gdb’s reverse order', () => {
  tell('QTDV:2:0:0:6f6e65', 'QTDV:3:2d:0:74776f');
  expect(ask('qTfV')).toBe('3:2d:0:74776f');
  expect(ask('qTsV')).toBe('2:0:0:6f6e65');
  expect(ask('qTsV')).toMatch(/^1:0:1:/);
  expect(ask('qTsV')).toBe('l');
});

test('a whole experiment as gdb runs it', () => {
  target.memory.write('ABCDEFGH', 0x100);
  tell(
    'QTinit',
    `QTDP:2:${HERE}:E:0:0:X7,26000022021327-`,
    `QTDP:-2:${HERE}:R0fffffff-`,
    `QTDP:-2:${HERE}:M-1,400100,4X9,240040010422020c27`,
    `QTDPsrc:2:${HERE}:at:0:3:686f74`,
    'QTDV:2:0000000000000005:0:666f6f',
    'QTro:400000,400010:401000,401010',
    'QTDisconnected:0',
    'QTBuffer:circular:0',
    'QTBuffer:size:-1',
    'QTNotes:user:6d65;notes:;',
    'QTStart',
  );
  expect(target.planted).toEqual(new Set([`1234:2:${HERE}`]));
  expect(ask('qTStatus')).toContain('T1;tnotrun:0;tframes:0;tcreated:0;');
  expect(hit()).toBe(0);
  expect(status()).toBe('T1;tnotrun:0;tframes:0;tcreated:0');
  target.writeRegister(MAIN, registerNamed('rax'), Buffer.from('0200000000000000', 'hex'));
  hit();
  hit();
  expect(status()).toBe('T1;tnotrun:0;tframes:2;tcreated:2');
  expect(ask(`qTP:2:${HERE}`)).toMatch(/^V2:[1-9a-f]/);
  tell('QTStop');
  expect(status()).toBe('T0;tstop::0;tframes:2;tcreated:2');
  expect(target.planted.size).toBe(0);
  expect(hit()).toBe(0);
  expect(status()).toContain('tframes:2');
});

describe('looking at frames', () => {
  beforeEach(() => {
    target.memory.write('ABCDEFGH', 0x100);
    target.memory.write('constant', 0x1000);
    tell('QTinit', 'QTDV:2:5:0:666f6f', `QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:RffM-1,400100,4M-1,400104,2-`);
    tell(`QTDP:-2:${HERE}:X4,2e000227`, 'QTDP:3:400200:E:0:0', 'QTro:401000,401004', 'QTStart');
    hit();
    target.memory.write('changed!', 0x100);
    hit(3, 0x40_0200n);
    hit();
  });

  test('one after another', () => {
    expect(ask('QTFrame:0')).toBe('F0T2');
    expect(ask('QTFrame:tdp:2')).toBe('F2T2');
    expect(ask('QTFrame:tdp:2')).toBe('F-1');
    expect(ask('QTFrame:ffffffff')).toBe('OK');
    expect(ask('QTFrame:tdp:3')).toBe('F1T3');
    expect(ask('QTFrame:3')).toBe('F-1');
    expect(ask('QTFrame:-1')).toBe('OK');
    expect(ask('QTFrame:pc:400200')).toBe('F1T3');
    expect(ask('QTFrame:ffffffff')).toBe('OK');
    expect(ask('QTFrame:range:400200:400203')).toBe('F1T3');
    expect(ask('QTFrame:outside:400200:400203')).toBe('F2T2');
    expect(ask('QTFrame:outside:400200:400203')).toBe('F-1');
  });

  test('memory is what was recorded, as far as it was', () => {
    ask('QTFrame:0');
    expect(ask('m400100,8')).toBe(Buffer.from('ABCDEF').toString('hex'));
    expect(ask('m400103,2')).toBe(Buffer.from('DE').toString('hex'));
    expect(ask('m400106,1')).toBe('E0e');
    expect(ask('m401000,8')).toBe(Buffer.from('cons').toString('hex'));
    ask('QTFrame:2');
    expect(ask('m400100,4')).toBe(Buffer.from('chan').toString('hex'));
    ask('QTFrame:ffffffff');
    expect(ask('m400100,8')).toBe(Buffer.from('changed!').toString('hex'));
  });

  test('registers are what was recorded; without any, the pc is known', () => {
    const now = ask('g');
    target.writeRegister(MAIN, registerNamed('rax'), new Uint8Array(8).fill(0xee));
    ask('QTFrame:0');
    expect(ask('g')).toBe(now);
    expect(ask('p0')).toBe('0001020304050607');
    ask('QTFrame:1');
    expect(ask('p0')).toBe('x'.repeat(16));
    expect(ask('p10')).toBe('0002400000000000');
    expect(ask('g')).toHaveLength(now?.length ?? 0);
  });

  test('variables are what was recorded', () => {
    ask('QTFrame:0');
    expect(ask('qTV:2')).toBe('V5');
    ask('QTFrame:1');
    expect(ask('qTV:2')).toBe('U');
    ask('QTFrame:ffffffff');
    expect(ask('qTV:2')).toBe('V5');
    expect(ask('qTV:1')).toMatch(/^V3[0-9a-f]+$/);
    expect(ask('qTV:9')).toBe('U');
  });

  test('a frame tells what it has', () => {
    expect(ask('qXfer:traceframe-info:read::0,1000')).toBe('E02');
    ask('QTFrame:0');
    const info = ask('qXfer:traceframe-info:read::0,1000');
    expect(info).toContain(
      '<memory start="0x400100" length="0x4"/>\n<memory start="0x400104" length="0x2"/>\n<tvar id="0x2"/>',
    );
  });

  test('nothing can be written into the past', () => {
    ask('QTFrame:0');
    for (const packet of ['P0=0000000000000000', 'M400100,1:00', 'X400100,1:a', `G${ask('g')}`])
      expect(ask(packet)).toBe('E05');
    ask('QTFrame:ffffffff');
    expect(ask('M400100,1:00')).toBe('OK');
  });

  test('a resume ends it', () => {
    ask('QTFrame:0');
    ask('vCont;c');
    conversation.session.stopped({ kind: 'stepped', thread: MAIN });
    expect(ask('m400100,1')).toBe('63');
  });

  test('the raw buffer is a trace file’s', () => {
    const bytes = Buffer.from(ask('qTBuffer:0,10000') ?? '', 'hex');
    expect(bytes.readUInt16LE(0)).toBe(2);
    const size = bytes.readUInt32LE(2);
    expect(bytes.subarray(6, 7).toString()).toBe('R');
    const second = bytes.subarray(6 + size);
    expect([second.readUInt16LE(0), second.readUInt32LE(2)]).toEqual([3, 0]);
    expect(ask(`qTBuffer:${bytes.length.toString(16)},100`)).toBe('l');
    let pieces = '';
    for (let at = 0; at < bytes.length; at += 0x1ff) pieces += ask(`qTBuffer:${at.toString(16)},1ff`);
    expect(pieces).toBe(bytes.toString('hex'));
  });

  test('QTinit forgets them', () => {
    ask('QTFrame:0');
    tell('QTinit');
    expect(status()).toBe('T0;tnotrun:0;tframes:0;tcreated:0');
    expect(ask('m400100,1')).toBe('63');
  });
});

describe('while-stepping', () => {
  beforeEach(() => {
    tell(
      'QTinit',
      `QTDP:4:${HERE}:E:2:1-`,
      `QTDP:-4:${HERE}:M-1,400100,1SM-1,400101,1-`,
      `QTDP:-4:${HERE}:M-1,400102,1`,
      'QTStart',
    );
  });

  test('a hit asks for steps, each recorded by the actions behind S', () => {
    expect(hit(4)).toBe(2);
    target.tracing.stepped(MAIN, 4, HOT, false);
    target.tracing.stepped(MAIN, 4, HOT, true);
    expect(status()).toBe('T0;tpasscount:4;tframes:3;tcreated:3');
    ask('QTFrame:0');
    expect(ask('m400100,1')).toBe('00');
    expect(ask('m400101,1')).toBe('E0e');
    ask('QTFrame:2');
    expect(ask('m400100,1')).toBe('E0e');
    expect(ask('m400101,2')).toBe('0000');
  });

  test('the definition can be read back', () => {
    tell(`QTDPsrc:4:${HERE}:cmd:0:5:68656c6c`, `QTDPsrc:4:${HERE}:cmd:4:1:6f`);
    const pieces = [ask('qTfP')];
    for (let piece = ask('qTsP'); piece !== 'l' && pieces.length < 20; piece = ask('qTsP')) pieces.push(piece);
    expect(pieces).toEqual([
      `T4:${HERE}:E:2:1`,
      `A4:${HERE}:M-1,400100,1`,
      `S4:${HERE}:M-1,400101,1`,
      `S4:${HERE}:M-1,400102,1`,
      `Z4:${HERE}:cmd:0:5:68656c6c6f`,
    ]);
  });
});

test('a condition and a jump are read back too', () => {
  tell('QTinit', `QTDP:5:${HERE}:D:0:a:F5:X3,220127`);
  expect(ask('qTfP')).toBe(`T5:${HERE}:D:0:a:F5:X3,220127`);
});

describe('tracing ends', () => {
  test('at the pass count', () => {
    tell('QTinit', `QTDP:2:${HERE}:E:0:3`, 'QTStart');
    for (let i = 0; i < 5; i++) hit();
    expect(status()).toBe('T0;tpasscount:2;tframes:3;tcreated:3');
  });

  test('when the buffer is full', () => {
    tell('QTinit', 'QTBuffer:size:30', `QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:M-1,400100,8`, 'QTStart');
    for (let i = 0; i < 5; i++) hit();
    expect(status()).toBe('T0;tfull:0;tframes:1;tcreated:2');
  });

  test('but not when it is circular: the oldest goes', () => {
    tell(
      'QTinit',
      'QTBuffer:size:40',
      'QTBuffer:circular:1',
      `QTDP:2:${HERE}:E:0:0-`,
      `QTDP:-2:${HERE}:M-1,400100,1`,
      'QTStart',
    );
    for (const byte of [1, 2, 3, 4, 5]) {
      target.memory[0x100] = byte;
      hit();
    }
    expect(status()).toBe('T1;tnotrun:0;tframes:3;tcreated:5');
    ask('QTFrame:0');
    expect(ask('m400100,1')).toBe('03');
  });

  test('when one frame alone is too large', () => {
    tell('QTinit', 'QTBuffer:size:100', `QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:M-1,400100,1000`, 'QTStart');
    hit();
    expect(status()).toBe('T0;tfull:0;tframes:0;tcreated:0');
  });

  test.each([
    { what: 'a condition', define: [`QTDP:2:${HERE}:E:0:0:X4,22001727`] },
    { what: 'an action', define: [`QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:X4,22001727`] },
  ])('when $what cannot be evaluated', ({ define }) => {
    tell('QTinit', ...define, 'QTStart');
    hit();
    const reason = Buffer.from('memory at 0x0 is unreadable at 2').toString('hex');
    expect(status()).toContain(`T0;terror:${reason}:2;`);
  });

  test('when the client goes, unless that was asked for', () => {
    tell('QTinit', `QTDP:2:${HERE}:E:0:0`, 'QTStart');
    conversation.session.disconnected();
    const next = Conversation.open(GDB_13, target);
    expect(next.ask('qTStatus')).toContain('T0;tdisconnected:0;');
    next.ask('QTDisconnected:1');
    next.ask('QTStart');
    next.session.disconnected();
    expect(Conversation.open(GDB_13, target).ask('qTStatus')).toContain('T1;');
  });

  test('with the note of who stopped it', () => {
    tell('QTinit', 'QTNotes:tstop:627965;', `QTDP:2:${HERE}:E:0:0`, 'QTStart', 'QTStop');
    expect(status()).toContain('T0;tstop:627965:0;');
  });
});

test('a site that cannot be probed refuses the start, and none stays', () => {
  target.refuse = 0x40_0146n;
  tell('QTinit', `QTDP:2:${HERE}:E:0:0`, 'QTDP:3:400146:E:0:0');
  expect(ask('QTStart')).toBe('E.inside an instruction');
  expect(target.planted.size).toBe(0);
  expect(status()).toContain('T0;');
});

test('tracepoints are enabled, disabled and added while tracing runs', () => {
  tell('QTinit', `QTDP:2:${HERE}:D:0:0`, 'QTStart');
  hit();
  tell(`QTEnable:2:${HERE}`);
  hit();
  tell(`QTDisable:2:${HERE}`);
  hit();
  expect(status()).toContain('tframes:1;');
  tell('QTDP:3:400200:E:0:0-');
  expect(target.planted.size).toBe(1);
  tell('QTDP:-3:400200:R01');
  expect(target.planted.size).toBe(2);
});

test('an action may change variables and print', () => {
  // $foo = $foo + 1, then printf("x%d\n", $foo)
  const teval = '2c0002 2201 02 2d0002 27'.replaceAll(' ', '');
  const print = '2c0002 2200 2200 34 01 0006 7825645c6e00 27'.replaceAll(' ', '');
  tell('QTinit', 'QTDV:2:5:0:666f6f', `QTDP:2:${HERE}:E:0:0-`);
  tell(
    `QTDP:-2:${HERE}:X${(teval.length / 2).toString(16)},${teval}X${(print.length / 2).toString(16)},${print}`,
    'QTStart',
  );
  hit();
  hit();
  expect(ask('qTV:2')).toBe('V7');
  expect(target.calls.filter((call) => call.startsWith('print'))).toEqual(['print x6\n', 'print x7\n']);
});

test('a base register is added to the offset', () => {
  target.memory.write('base', 0x300);
  target.writeRegister(MAIN, registerNamed('rbp'), Buffer.from('1003400000000000', 'hex'));
  tell('QTinit', `QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:M6,fffffffffffffff0,4`, 'QTStart');
  hit();
  ask('QTFrame:0');
  expect(ask('m400300,4')).toBe(Buffer.from('base').toString('hex'));
});

test('what cannot be read is left out', () => {
  tell('QTinit', `QTDP:2:${HERE}:E:0:0-`, `QTDP:-2:${HERE}:M-1,10,4M-1,401ffe,4`, 'QTStart');
  hit();
  expect(status()).toContain('T1;tnotrun:0;tframes:1;');
  ask('QTFrame:0');
  expect(ask('m401ffe,4')).toBe('0000');
});

test.each([
  { packet: `QTDP:2:${HERE}:E:0`, reply: /^E\.malformed/ },
  { packet: `QTDP:2:${HERE}:X:0:0`, reply: /^E\.malformed/ },
  { packet: `QTDP:2:${HERE}:E:0:0:X1,02`, reply: /^E\.condition: stack underflow/ },
  { packet: `QTDP:2:${HERE}:E:0:0:S`, reply: /^E\.malformed/ },
  { packet: `QTDP:-7:${HERE}:R01`, reply: /^E\.malformed packet: no such tracepoint/ },
  { packet: `QTDP:1:${HERE}:E:0:0`, reply: /^E\.tracepoint exists$/ },
  { packet: `QTDP:-1:${HERE}:L`, reply: /^E\.malformed/ },
  { packet: `QTDP:-1:${HERE}:X1,99`, reply: /^E\.action: unknown opcode/ },
  { packet: `QTDPsrc:7:${HERE}:at:0:1:41`, reply: /^E02$/ },
  { packet: `QTDPsrc:1:${HERE}:a_b:0:1:41`, reply: /^E16$/ },
  { packet: `QTEnable:7:${HERE}`, reply: /^E02$/ },
  { packet: `qTP:7:${HERE}`, reply: /^E02$/ },
  { packet: 'QTBuffer:size:ffffffffff', reply: /^E\.too large$/ },
  { packet: 'QTBuffer:color:1', reply: /^E16$/ },
  { packet: 'QTNotes:foo:41;', reply: /^E16$/ },
  { packet: 'QTFrame:xyz', reply: /^E\.malformed/ },
  { packet: 'QTFrame:range:1', reply: /^E\.malformed/ },
  { packet: 'QTSave:2f', reply: /^$/ },
])('$packet is refused', ({ packet, reply }) => {
  tell('QTinit', `QTDP:1:${HERE}:E:0:0`);
  expect(ask(packet)).toMatch(reply);
});
