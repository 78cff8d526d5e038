// What stands in every register at every instruction of a small program without a C library, with a probe on each: kernel and sidestep side by side.
// Differences are Linux's transparency defects, or they are not explained.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Decoder, DecoderOptions, RflagsBits } from 'iced-x86';
import { join } from 'node:path';

export const FLAGS = '-nostdlib -static -no-pie -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -O1 -mavx2 -mbmi -mbmi2'.split(' ');
const REGISTERS = ['ax', 'bx', 'cx', 'dx', 'si', 'di', 'bp', 'sp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'flags'];
const SP = REGISTERS.indexOf('sp');
const FLAGS_AT = REGISTERS.indexOf('flags');
const R11 = REGISTERS.indexOf('r11');
const TF = 0x100n;
/** RF is set in the flags of a breakpoint's frame, and is no state of the program. */
const RF = 0x10000n;
/** Offsets in the file of the instructions of .text, and their text. */
export function instructions(program) {
  const headers = execFileSync('readelf', ['-SW', program], { encoding: 'utf8' });
  const [, address, offset] = / \.text\s+PROGBITS\s+(\w+) (\w+)/.exec(headers);
  const shift = Number.parseInt(address, 16) - Number.parseInt(offset, 16);
  const lines = execFileSync('objdump', ['-d', '--no-show-raw-insn', '-j', '.text', program], { encoding: 'utf8' });
  return [...lines.matchAll(/^ +([0-9a-f]+):\t(.*)$/gm)].map(([, at, text]) => ({
    address: Number.parseInt(at, 16),
    offset: Number.parseInt(at, 16) - shift,
    text: text.trim(),
  }));
}

/** Addresses on the stack relative to where it began: its start depends on what lies there. */
function relative(events) {
  const start = events[0]?.values[SP] ?? 0n;
  const near = (value) => value > start - 0x10_0000n && value < start + 0x1_0000n;
  return events.map(({ pid, name, values }) => ({
    name,
    values: values.map((value, i) => {
      if (value === BigInt(pid)) return 'pid';
      if (near(value)) return `stack${value - start}`;
      return `0x${(i === FLAGS_AT || i === R11 ? value & ~RF : value).toString(16)}`;
    }),
    raw: values,
  }));
}

const FLAGS_BY_BIT = new Map([
  [RflagsBits.CF, 0x1n],
  [RflagsBits.PF, 0x4n],
  [RflagsBits.AF, 0x10n],
  [RflagsBits.ZF, 0x40n],
  [RflagsBits.SF, 0x80n],
  [RflagsBits.OF, 0x800n],
]);

function mask(bits) {
  let flags = 0n;
  for (const [bit, flag] of FLAGS_BY_BIT) if (bits & bit) flags |= flag;
  return flags;
}

/** What the instruction leaves undefined in the flags, and what it defines. */
function flagsOf(code, { offset, address }) {
  const decoder = new Decoder(64, code.subarray(offset, offset + 15), DecoderOptions.None);
  decoder.ip = BigInt(address);
  const insn = decoder.decode();
  const facts = { undefined: mask(insn.rflagsUndefined), defined: mask(insn.rflagsWritten | insn.rflagsCleared | insn.rflagsSet) };
  insn.free();
  decoder.free();
  return facts;
}

const isRep = (text) => /^rep[a-z]* (?!ret)/.test(text);

/** One hit of a REP instruction for as many as it has iterations. */
function collapsed(events, texts) {
  return events.filter(({ name }, i) => !(i > 0 && events[i - 1].name === name && isRep(texts.get(name))));
}

/** Behind these a probed program may be another one under Linux (lib/transparency.c shows how): nothing that follows could be compared. */
export function goesAstray(code, { text, offset }) {
  const opcode = { 0xc5: code[offset + 2], 0xc4: code[offset + 3] }[code[offset]];
  return text === 'syscall' || text === 'pushf' || (opcode !== undefined && ((opcode >= 0x70 && opcode < 0x80) || [0xe8, 0xe9, 0xeb].includes(opcode)));
}

/** Where mmap puts things: the two address spaces differ there by a constant. */
const MAPPED = [0x7ffff0000000n, 0x7ffff8000000n];

/** The defect of Linux that makes these two differ; undefined: none does. */
function defect(i, theirs, ours) {
  if ((theirs & ~RF) === ((ours & ~RF) | TF)) return 'TF is seen in pushed flags (pushf, r11 after syscall)';
  return undefined;
}

/** Runs with stacks that begin at addresses with equal low bytes, on which parity flags depend. */
async function alike(both, plan) {
  for (let padding = 0; padding < 512; ) {
    const runs = await both({ ...plan, padding });
    const [theirs, ours] = [runs.kernel, runs.sidestep].map(({ events }) => Number(events[0].values[SP] & 0xffn));
    if (theirs === ours) return runs;
    padding += Math.max(16, (ours - theirs) & 0xff);
  }
  throw new Error('the two stacks cannot be made alike');
}

/** Prints; the number of differences that are not explained. */
export async function compareSteps({ name, root, folder, both, say }) {
  const program = join(folder, name);
  execFileSync('gcc', ['-w', '-o', program, join(root, 'test/guests', `${name}.c`), ...FLAGS]);
  const code = readFileSync(program);
  const everything = instructions(program);
  const all = everything.filter((insn) => !goesAstray(code, insn));
  const texts = new Map(all.map(({ address, text }) => [`i${address.toString(16)}`, text]));
  const args = REGISTERS.map((register) => `${register}=%${register}:x64`);
  const probes = all.map(({ address, offset }) => ({ name: `i${address.toString(16)}`, file: program, offset, args }));
  const { kernel, sidestep } = await alike(both, { argv: [program], probes, machine: { cpu: 'v3' } });
  const refusedByKernel = Object.keys(kernel.refused).length;
  const theirs = collapsed(relative(kernel.events), texts);
  const ours = collapsed(relative(sidestep.events), texts);
  say(
    `\n${name}: ${everything.length} instructions, ${everything.length - all.length} that Linux executes wrongly and ${refusedByKernel} that it refuses left out; hits: kernel ${kernel.events.length} (${theirs.length} but for iterations of rep), sidestep ${ours.length}`,
  );
  const flags = new Map(all.map((insn) => [`i${insn.address.toString(16)}`, flagsOf(code, insn)]));
  const explained = new Map();
  const explain = (why) => explained.set(why, (explained.get(why) ?? 0) + 1);
  let unexplained = 0;
  /** Flags that an earlier instruction has left undefined. */
  let open = 0n;
  let shift;
  for (let i = 0; i < Math.max(theirs.length, ours.length) && unexplained < 5; i++) {
    const [a, b] = [theirs[i], ours[i]];
    if (a === undefined || b === undefined || a.name !== b.name) {
      for (let k = Math.max(0, i - 3); k < i; k++) say(`    ${ours[k].name} ${texts.get(ours[k].name)}`);
      say(`  hit ${i}: kernel at ${texts.get(a?.name)} (${a?.name}), sidestep at ${texts.get(b?.name)} (${b?.name})`);
      unexplained++;
      break;
    }
    for (const [n, register] of REGISTERS.entries()) {
      if (a.values[n] === b.values[n]) continue;
      if ([a.raw[n], b.raw[n]].every((value) => value >= MAPPED[0] && value < MAPPED[1])) {
        shift ??= a.raw[n] - b.raw[n];
        if (a.raw[n] - b.raw[n] === shift) {
          explain('addresses of mappings, which lie elsewhere by a constant');
          continue;
        }
      }
      const why = defect(n, a.raw[n], b.raw[n]) ?? (n === FLAGS_AT && ((a.raw[n] ^ b.raw[n]) & ~open & ~RF) === 0n ? 'flags that the manuals leave undefined (mul, div, shifts)' : undefined);
      if (why !== undefined) {
        explain(why);
        continue;
      }
      say(`  hit ${i}, before ${texts.get(a.name)} (${a.name}): ${register} is ${a.values[n]} in the kernel, ${b.values[n]} in sidestep`);
      unexplained++;
    }
    const { undefined: left, defined } = flags.get(a.name);
    open = (open & ~defined) | left;
  }
  if (kernel.events.length > theirs.length) explained.set('rep counts once in sidestep, once an iteration in the kernel', kernel.events.length - theirs.length);
  for (const [why, times] of explained) say(`  ${times} x ${why}`);
  if (JSON.stringify(kernel.status) !== JSON.stringify(sidestep.status.code ?? sidestep.status.signal))
    say(`  ended with ${kernel.status} natively, ${JSON.stringify(sidestep.status)} under sidestep`);
  return unexplained;
}
