import { describe, expect, test } from 'vitest';
import { Conversation, frame, GDB_13 } from '../conversation.js';
import { bareTarget, FakeTarget, PID } from '../fake-target.js';

const features = (conversation: Conversation): readonly string[] =>
  (conversation.ask(`qSupported:${GDB_13}`) ?? '').split(';');

describe('qSupported', () => {
  test('a target that can do everything', () => {
    expect(features(new Conversation()).toSorted()).toEqual(
      [
        'PacketSize=20000', 'QStartNoAckMode+', 'multiprocess+', 'swbreak+', 'hwbreak+', 'vContSupported+', 'ConditionalBreakpoints+',
        'BreakpointCommands+', 'QPassSignals+', 'QProgramSignals+', 'QCatchSyscalls+', 'QNonStop+', 'QThreadEvents+', 'fork-events+',
        'vfork-events+', 'exec-events+', 'no-resumed+', 'QDisableRandomization+', 'QStartupWithShell+', 'QEnvironmentHexEncoded+',
        'QEnvironmentReset+', 'QEnvironmentUnset+', 'QSetWorkingDir+', 'qXfer:features:read+', 'qXfer:auxv:read+', 'qXfer:exec-file:read+',
        'qXfer:libraries-svr4:read+', 'augmented-libraries-svr4-read+', 'qXfer:threads:read+', 'qXfer:siginfo:read+', 'qXfer:siginfo:write+',
        'qXfer:osdata:read+', 'QThreadSuffixSupported+', 'QListThreadsInStopReply+', 'binary-upload+',
      ].toSorted(),
    ); // biome-ignore format: a list
  });

  test('a target that can do only what it must', () => {
    expect(features(new Conversation(bareTarget())).toSorted()).toEqual(
      [
        'PacketSize=20000', 'QStartNoAckMode+', 'multiprocess+', 'vContSupported+', 'qXfer:features:read+', 'qXfer:auxv:read+',
        'qXfer:exec-file:read+', 'qXfer:libraries-svr4:read+', 'augmented-libraries-svr4-read+', 'qXfer:threads:read+',
        'QThreadSuffixSupported+', 'QListThreadsInStopReply+', 'binary-upload+',
      ].toSorted(),
    ); // biome-ignore format: a list
  });

  test('what is disabled is not advertised', () => {
    const conversation = new Conversation(new FakeTarget(), { disabled: new Set(['vCont']) });
    expect(features(conversation)).not.toContain('vContSupported+');
  });

  test('every packet that is advertised is known', () => {
    const conversation = Conversation.open(GDB_13);
    for (const feature of features(conversation)) {
      const name = /^(Q[A-Za-z]+|qXfer:[a-z0-9-]+:(?:read|write))\+$/.exec(feature)?.[1];
      if (name !== undefined) expect(conversation.ask(name), name).not.toBe('');
    }
  });

  test('without features, and with ones that nobody knows', () => {
    const conversation = new Conversation();
    expect(conversation.ask('qSupported')).toMatch(/^PacketSize=/);
    expect(conversation.ask('qSupported:frobnicate+;xmlRegisters=i386')).toMatch(/^PacketSize=/);
  });

  test('a second one replaces what the first said', () => {
    const conversation = Conversation.open('multiprocess+;swbreak+;fork-events+');
    expect(conversation.ask('qC')).toBe('QCp1234.1234');
    conversation.ask('qSupported:swbreak+');
    expect(conversation.ask('qC')).toBe('QC1234');
    expect(conversation.target.calls).toEqual(['events ']);
  });

  test('the target reports the events that the client knows', () => {
    const conversation = new Conversation();
    conversation.ask('qSupported:multiprocess+;fork-events+;exec-events+;no-resumed+');
    expect(conversation.target.calls).toEqual(['events fork exec no-resumed']);
  });
});

test.each([
  { packet: 'vMustReplyEmpty', reply: '' },
  { packet: 'qSymbol::', reply: '' },
  { packet: 'qTStatus', reply: '' },
  { packet: 'qOffsets', reply: '' },
  { packet: 'vFlashErase:0,1', reply: '' },
  { packet: 'qSupportedX', reply: '' },
  { packet: 'QStartNoAckModeX', reply: '' },
  { packet: 'b', reply: '' },
  { packet: '', reply: '' },
  { packet: '!', reply: 'OK' },
  { packet: '!x', reply: 'E16' },
  { packet: '?x', reply: 'E16' },
  { packet: 'qAttached', reply: '0' },
  { packet: 'qAttached:1234', reply: '0' },
  { packet: 'qAttached:50', reply: '1' },
  { packet: 'qAttached:51', reply: 'E03' },
  { packet: 'QNonStop:0', reply: 'OK' },
  { packet: 'QNonStop:2', reply: 'E16' },
])('$packet -> $reply', ({ packet, reply }) => {
  const target = new FakeTarget();
  target.addProcess(0x50);
  expect(Conversation.open(GDB_13, target).ask(packet)).toBe(reply);
});

describe('leaving', () => {
  test('D lets the last process go and the server end with it', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.raw(frame('D;1234'))).toEqual({
      sent: ['OK'],
      actions: [{ kind: 'exit', reason: 'detached' }],
    });
    expect(conversation.target.calls).toEqual(['detach 1234']);
  });

  test('D without a process is about the current one', () => {
    const conversation = Conversation.open('swbreak+');
    expect(conversation.ask('D')).toBe('OK');
    expect(conversation.target.calls).toEqual(['detach 1234']);
  });

  test('D of one of two processes keeps the session', () => {
    const conversation = Conversation.open(GDB_13);
    conversation.target.addProcess(0x50);
    expect(conversation.raw(frame('D;50'))).toEqual({ sent: ['OK'], actions: [] });
    expect(conversation.ask('qC')).toBe('QCp1234.1234');
  });

  test('D in extended mode keeps the server', () => {
    const conversation = Conversation.open(GDB_13);
    conversation.ask('!');
    expect(conversation.raw(frame('D;1234'))).toEqual({ sent: ['OK'], actions: [] });
    expect(conversation.ask('?')).toBe('W00');
  });

  test('vKill kills one process and keeps the server', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.raw(frame(`vKill;${PID.toString(16)}`))).toEqual({ sent: ['OK'], actions: [] });
    expect(conversation.target.calls).toEqual(['kill 1234']);
    expect(conversation.ask('?')).toBe('W00');
  });

  test('vKill without process ids in the protocol kills the program, whatever number the client made up', () => {
    const [single, multi] = [Conversation.open('swbreak+'), Conversation.open(GDB_13)];
    expect(single.ask('vKill;a410')).toBe('OK');
    expect(single.target.calls).toEqual(['kill 1234']);
    expect(multi.ask('vKill;a410')).toBe('E03');
  });

  test('k kills all; in extended mode the server stays', () => {
    const conversation = Conversation.open(GDB_13);
    conversation.target.addProcess(0x50);
    conversation.ask('!');
    expect(conversation.raw(frame('k'))).toEqual({ sent: [], actions: [] });
    expect(conversation.target.calls).toEqual(['kill 1234', 'kill 50']);
    expect(conversation.ask('?')).toBe('W00');
  });
});

describe('programs of extended mode', () => {
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  const open = (): Conversation => {
    const conversation = Conversation.open(GDB_13);
    conversation.ask('!');
    return conversation;
  };

  test('vRun starts one and answers its first stop', () => {
    const conversation = open();
    expect(conversation.ask(`vRun;${hex('/bin/x')};${hex('a b')};;${hex('ü')}`)).toMatch(/^T05.*thread:p1234.1234;/);
    expect(conversation.target.calls).toEqual(['run /bin/x [a b  ü]']);
  });

  test('vRun without a name starts the last one', () => {
    const conversation = open();
    expect(conversation.ask('vRun;')).toMatch(/^T05/);
    expect(conversation.target.calls).toEqual(['run (last) []']);
  });

  test('vRun of what does not exist says why', () => {
    expect(open().ask(`vRun;${hex('/missing')}`)).toBe('E.no such program');
  });

  test('R starts it again without a reply, `?` tells the stop', () => {
    const conversation = open();
    expect(conversation.ask('R0')).toBeUndefined();
    expect(conversation.target.calls).toEqual(['run (last) []']);
    expect(conversation.ask('?')).toMatch(/^T05/);
  });

  test('R outside extended mode does nothing', () => {
    const conversation = Conversation.open(GDB_13);
    expect(conversation.ask('R0')).toBeUndefined();
    expect(conversation.target.calls).toEqual([]);
  });

  test('vAttach joins a process and answers its stop', () => {
    const conversation = open();
    expect(conversation.ask('vAttach;77')).toMatch(/^T11.*thread:p77.77;/);
    expect(conversation.ask('qAttached:77')).toBe('1');
    expect(conversation.ask('vAttach;78')).toBe('E.no such process');
  });

  test.each([
    { packet: `QEnvironmentHexEncoded:${hex('FOO=a=b')}`, reply: 'OK', call: 'env FOO=a=b' },
    { packet: `QEnvironmentHexEncoded:${hex('FOO=')}`, reply: 'OK', call: 'env FOO=' },
    { packet: `QEnvironmentHexEncoded:${hex('FOO')}`, reply: 'E.no NAME=VALUE' },
    { packet: `QEnvironmentHexEncoded:${hex('=x')}`, reply: 'E.no NAME=VALUE' },
    { packet: `QEnvironmentUnset:${hex('FOO')}`, reply: 'OK', call: 'unset FOO' },
    { packet: 'QEnvironmentUnset:', reply: 'E.no name' },
    { packet: 'QEnvironmentReset', reply: 'OK', call: 'reset env' },
    { packet: `QSetWorkingDir:${hex('/tmp')}`, reply: 'OK', call: 'cwd /tmp' },
    { packet: 'QSetWorkingDir:', reply: 'OK', call: 'cwd (own)' },
    { packet: 'QStartupWithShell:0', reply: 'OK', call: 'shell false' },
    { packet: 'QStartupWithShell:1', reply: 'OK', call: 'shell true' },
    { packet: 'QDisableRandomization:1', reply: 'OK', call: 'randomize false' },
    { packet: 'QDisableRandomization:0', reply: 'OK', call: 'randomize true' },
    { packet: 'QDisableRandomization:2', reply: expect.stringMatching(/^E\.malformed/) },
  ])('$packet', ({ packet, reply, call }) => {
    const conversation = open();
    expect(conversation.ask(packet)).toEqual(reply);
    expect(conversation.target.calls).toEqual(call === undefined ? [] : [call]);
  });
});

test.each([
  { packet: 'QPassSignals:e;14;1e', call: 'pass 14 17 10' },
  { packet: 'QPassSignals:e;14;97;', call: 'pass 14 17' },
  { packet: 'QPassSignals:', call: 'pass ' },
  { packet: 'QProgramSignals:0;1;2d', call: 'program 1 33' },
  { packet: 'QCatchSyscalls:1', call: 'catch 1234 all' },
  { packet: 'QCatchSyscalls:1;3c;e7', call: 'catch 1234 60 231' },
  { packet: 'QCatchSyscalls:0', call: 'catch 1234 ' },
  { packet: 'QThreadEvents:1', call: 'events fork vfork exec no-resumed threads' },
  { packet: 'QThreadEvents:0', call: 'events fork vfork exec no-resumed' },
])('$packet -> OK', ({ packet, call }) => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask(packet)).toBe('OK');
  expect(conversation.target.calls).toEqual([call]);
});

test.each([
  'QPassSignals',
  'QPassSignals:e,14',
  'QCatchSyscalls:1;',
  'QCatchSyscalls:2',
  'QThreadEvents',
  'QThreadEvents:1;',
])('%s is malformed', (packet) => {
  const conversation = Conversation.open(GDB_13);
  expect(conversation.ask(packet)).toMatch(/^E\.malformed/);
  expect(conversation.target.calls).toEqual([]);
});
