/** `qRcmd`: the commands of `monitor`, gdbserver's own and those that the host adds. Texts are gdbserver's where it has the command. */
import { EPERM } from '../error-code.js';
import type { MonitorCommand, MonitorResult } from '../monitor-command.js';
import type { PacketContext, PacketRow } from '../packet.js';
import type { PacketCursor } from '../packet-cursor.js';
import type { Reply } from '../reply.js';
import type { DebugTopic, SessionSettings } from '../session-types.js';

/** `qRcmd,COMMAND` in hex – output goes out before the reply, as console text. */
function monitor(args: PacketCursor, reply: Reply, context: PacketContext): void {
  args.comma();
  const line = args.hexText().trim();
  args.end();
  const commands = commandsOf(context.settings);
  let output = '';
  const print = (text: string): void => {
    output += text;
  };
  const result = runLine(line, commands, print);
  if (result === 'unknown') print('Unknown monitor command.\n\n');
  if (result === 'unknown' || result === 'invalid') print(helpText(commands));
  if (output !== '') context.console(output);
  if (result === 'done' || result === 'exit') reply.ok();
  else reply.error(EPERM);
  if (result === 'exit') context.emit({ kind: 'exit', reason: 'monitor' });
}

/** A command is the longest name that the line begins with, word by word. */
function runLine(line: string, commands: readonly MonitorCommand[], print: (text: string) => void): MonitorResult {
  const found = commands
    .filter(({ name }) => line === name || line.startsWith(`${name} `))
    .sort((a, b) => b.name.length - a.name.length)[0];
  return found?.run(line.slice(found.name.length).trim(), print) ?? 'unknown';
}

function helpText(commands: readonly MonitorCommand[]): string {
  const lines = commands.flatMap(({ name, args, help }) => {
    return help.length === 0
      ? []
      : [`  ${args === undefined ? name : `${name} ${args}`}`, ...help.map((text) => `    ${text}`)];
  });
  return `The following monitor commands are supported:\n${lines.join('\n')}\n`;
}

function commandsOf(settings: SessionSettings): readonly MonitorCommand[] {
  const commands: MonitorCommand[] = [...debugCommands(settings), ...(settings.monitor ?? [])];
  const help: MonitorCommand = {
    name: 'help',
    help: [],
    run: (args, print) => {
      if (args !== '') return 'unknown';
      print(helpText(commands));
      return 'done';
    },
  };
  const exit: MonitorCommand = {
    name: 'exit',
    help: ['Quit GDBserver'],
    run: (args) => (args === '' ? 'exit' : 'unknown'),
  };
  commands.push(LIBTHREAD_DB_PATH, help, exit);
  return commands;
}

/** gdbserver looks for its libthread_db there, and lists the command nowhere. Thread-local variables need none here: the path is taken and changes nothing. */
const LIBTHREAD_DB_PATH: MonitorCommand = {
  name: 'set libthread-db-search-path',
  help: [],
  run(path, print) {
    print(`libthread-db-search-path set to \`${path || '$sdir:$pdir'}'\n`);
    return 'done';
  },
};

interface TopicRow {
  readonly topic: DebugTopic;
  readonly name: string;
  readonly help: string;
  /** gdbserver's words before "enabled." and "disabled.". */
  readonly subject: string;
}

const TOPICS: readonly TopicRow[] = [
  {
    topic: 'general',
    name: 'set debug',
    help: 'Enable general debugging messages',
    subject: 'Debug output',
  },
  {
    topic: 'hardware-points',
    name: 'set debug-hw-points',
    help: 'Enable h/w breakpoint/watchpoint debugging messages',
    subject: 'H/W point debugging output',
  },
  {
    topic: 'remote',
    name: 'set remote-debug',
    help: 'Enable remote protocol debugging messages',
    subject: 'Protocol debug output',
  },
  {
    topic: 'event-loop',
    name: 'set event-loop-debug',
    help: 'Enable event loop debugging messages',
    subject: 'Event loop debug output',
  },
];

/** Only where the host can do something about it. */
function debugCommands({ diagnostics }: SessionSettings): readonly MonitorCommand[] {
  if (diagnostics === undefined) return [];
  const switches = TOPICS.map(({ topic, name, help, subject }): MonitorCommand => {
    return {
      name,
      args: '<0|1>',
      help: [help],
      run(args, print) {
        if (args !== '0' && args !== '1') return 'unknown';
        diagnostics.enable(topic, args === '1');
        print(`${subject} ${args === '1' ? 'enabled' : 'disabled'}.\n`);
        return 'done';
      },
    };
  });
  const format: MonitorCommand = {
    name: 'set debug-format',
    args: 'option1[,option2,...]',
    help: ['Add additional information to debugging messages', 'Options: all, none, timestamp'],
    run: (args, print) => (args === '' ? 'unknown' : setFormat(args, diagnostics, print)),
  };
  return [...switches, format];
}

interface FormatRow {
  readonly timestamps: boolean;
  readonly text: string;
}

const FORMATS: Readonly<Record<string, FormatRow>> = {
  all: { timestamps: true, text: 'All extra debug format options enabled.\n' },
  none: { timestamps: false, text: 'All extra debug format options disabled.\n' },
  timestamp: { timestamps: true, text: 'Timestamps will be added to debug output.\n' },
};

/** Ends at the first option that does not exist; those before it are in force. */
function setFormat(
  options: string,
  diagnostics: NonNullable<SessionSettings['diagnostics']>,
  print: (text: string) => void,
): MonitorResult {
  for (const option of options.split(',').filter((text) => text !== '')) {
    const row = Object.hasOwn(FORMATS, option) ? FORMATS[option] : undefined;
    if (row === undefined) {
      print(`Unknown debug-format argument: "${option}"\n`);
      return 'invalid';
    }
    diagnostics.showTimestamps(row.timestamps);
    print(row.text);
  }
  return 'done';
}

export const monitorPackets: readonly PacketRow[] = [{ prefix: 'qRcmd', handle: monitor }];
