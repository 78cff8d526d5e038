import { expect, test } from 'vitest';
import type { SessionSettings } from '../../../src/rsp/session-types.js';
import { Conversation, frame, GDB_13 } from '../conversation.js';

const HELP = [
  'The following monitor commands are supported:',
  '  set debug <0|1>',
  '    Enable general debugging messages',
  '  set debug-hw-points <0|1>',
  '    Enable h/w breakpoint/watchpoint debugging messages',
  '  set remote-debug <0|1>',
  '    Enable remote protocol debugging messages',
  '  set event-loop-debug <0|1>',
  '    Enable event loop debugging messages',
  '  set debug-format option1[,option2,...]',
  '    Add additional information to debugging messages',
  '    Options: all, none, timestamp',
  '  echo WORD',
  '    Say WORD',
  '    and nothing else',
  '  exit',
  '    Quit GDBserver',
  '',
].join('\n');

const UNKNOWN = `Unknown monitor command.\n\n${HELP}`;

/** Console text, reply, and what the host was told. */
function monitor(line: string): { text: string; reply: string | undefined; calls: string[]; exits: boolean } {
  const calls: string[] = [];
  const settings: SessionSettings = {
    diagnostics: {
      enable: (topic, on) => void calls.push(`${topic} ${on}`),
      showTimestamps: (on) => void calls.push(`timestamps ${on}`),
    },
    monitor: [
      {
        name: 'echo',
        args: 'WORD',
        help: ['Say WORD', 'and nothing else'],
        run: (args, print) => {
          print(`${args}\n`);
          return 'done';
        },
      },
    ],
  };
  const { sent, actions } = Conversation.open(GDB_13, undefined, settings).raw(
    frame(`qRcmd,${Buffer.from(line).toString('hex')}`),
  );
  const text = sent.slice(0, -1).map((body) => Buffer.from(body.slice(1), 'hex').toString());
  return { text: text.join(''), reply: sent.at(-1), calls, exits: actions.some(({ kind }) => kind === 'exit') };
}

/** Replies of gdbserver 13.1 to the same commands. */
test.each([
  { line: 'help', text: HELP, reply: 'OK', calls: [] },
  { line: '', text: UNKNOWN, reply: 'E01', calls: [] },
  { line: 'nonsense', text: UNKNOWN, reply: 'E01', calls: [] },
  { line: 'helpme', text: UNKNOWN, reply: 'E01', calls: [] },
  { line: 'set debug', text: UNKNOWN, reply: 'E01', calls: [] },
  { line: 'set debug 2', text: UNKNOWN, reply: 'E01', calls: [] },
  { line: 'set debug 1', text: 'Debug output enabled.\n', reply: 'OK', calls: ['general true'] },
  { line: 'set debug 0', text: 'Debug output disabled.\n', reply: 'OK', calls: ['general false'] },
  {
    line: 'set debug-hw-points 1',
    text: 'H/W point debugging output enabled.\n',
    reply: 'OK',
    calls: ['hardware-points true'],
  },
  { line: 'set remote-debug 1', text: 'Protocol debug output enabled.\n', reply: 'OK', calls: ['remote true'] },
  {
    line: 'set event-loop-debug 1',
    text: 'Event loop debug output enabled.\n',
    reply: 'OK',
    calls: ['event-loop true'],
  },
  {
    line: 'set debug-format all',
    text: 'All extra debug format options enabled.\n',
    reply: 'OK',
    calls: ['timestamps true'],
  },
  {
    line: 'set debug-format none',
    text: 'All extra debug format options disabled.\n',
    reply: 'OK',
    calls: ['timestamps false'],
  },
  {
    line: 'set debug-format ,timestamp,',
    text: 'Timestamps will be added to debug output.\n',
    reply: 'OK',
    calls: ['timestamps true'],
  },
  { line: 'set debug-format', text: UNKNOWN, reply: 'E01', calls: [] },
  {
    line: 'set debug-format foo',
    text: `Unknown debug-format argument: "foo"\n${UNKNOWN.replace('Unknown monitor command.\n\n', '')}`,
    reply: 'E01',
    calls: [],
  },
  {
    line: 'set libthread-db-search-path',
    text: "libthread-db-search-path set to `$sdir:$pdir'\n",
    reply: 'OK',
    calls: [],
  },
  {
    line: 'set libthread-db-search-path /a:/b c',
    text: "libthread-db-search-path set to `/a:/b c'\n",
    reply: 'OK',
    calls: [],
  },
  { line: 'echo  a b ', text: 'a b\n', reply: 'OK', calls: [] },
])('monitor $line', ({ line, text, reply, calls }) => {
  expect(monitor(line)).toEqual({ text, reply, calls, exits: false });
});

test('monitor exit ends the server after its OK', () => {
  expect(monitor('exit')).toEqual({ text: '', reply: 'OK', calls: [], exits: true });
});

test('without diagnostics there is nothing to set', () => {
  const { sent } = Conversation.open(GDB_13).raw(frame(`qRcmd,${Buffer.from('set debug 1').toString('hex')}`));
  expect(sent.at(-1)).toBe('E01');
});

test.each(['qRcmd', 'qRcmd,6', 'qRcmd,zz'])('%s is malformed', (packet) => {
  expect(Conversation.open(GDB_13).ask(packet)).toBe('E16');
});
