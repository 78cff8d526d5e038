/**
 * Makes the transcripts of two runs comparable. A rule may only hide what differs between two runs of the same server
 * or between two machines that are both right; each says why. Everything else has to be equal, letter by letter.
 */
import type { Transcript } from './session.js';

interface Rule {
  /** Why the two may differ here. */
  readonly why: string;
  apply(text: string): string;
}

function replace(why: string, pattern: RegExp, replacement: string): Rule {
  return { why, apply: (text) => text.replace(pattern, replacement) };
}

function dropLines(why: string, pattern: RegExp): Rule {
  const line = new RegExp(`^.*(?:${pattern.source}).*\\n`, 'gm');
  return { why, apply: (text) => text.replace(line, '') };
}

/** In this order: what is dropped goes before addresses, so it cannot leave a trace in them. */
const RULES: readonly Rule[] = [
  dropLines(
    'the vDSO is the kernel’s gift, and an emulator need not make the same: its place, and its sections',
    /AT_SYSINFO_EHDR|\[vdso\]|in system-supplied DSO at/,
  ),
  replace('the build id, which is the name of a vDSO', /\.build-id\/[0-9a-f]{2}\/[0-9a-f]{38}\.debug/g, '<vdso>.debug'),
  dropLines('the pages of the vDSO’s data', /\[vvar(?:_vclock)?\]/),
  dropLines('says what this processor can do', /AT_HWCAP2?\b/),
  dropLines('grows with the register state of this processor', /AT_MINSIGSTKSZ/),
  replace(
    'the C library picks the variant of a string function that this processor runs best',
    /(?<=\b__[a-z]+)(?:_(?:sse\d?|sse4_[12]|ssse3|avx\d?|avx512|evex\d*|unaligned|erms|rtm|movbe|bmi2|fma4?|back|no|vzeroupper|avx))+\b/g,
    '<variant>',
  ),
  replace(
    'addresses on the stack depend on the strings that the kernel puts at its end',
    /\b0x0*7ffffff[0-9a-f]{5}\b/g,
    '<stack>',
  ),
  replace(
    'where an image or mapping lies is free, but only by whole pages: the offset in the page stays',
    /\b0x0*(?:5[56]|7[ef])[0-9a-f]{7}([0-9a-f]{3})\b/g,
    '<page>$1',
  ),
  dropLines(
    'gdbserver 13 cannot write the vector registers of processors with AMX, and says so each time',
    /ptrace\(regsets_store_inferior_registers\): /,
  ),
  { why: 'the system hands out process and thread ids', apply: numberIds },
  replace('the system hands out ports', /(127\.0\.0\.1:)\d+/g, '$1<port>'),
  replace('the same, in the lines of the server', /((?:Listening on|, ) ?port )\d+/g, '$1<port>'),
  {
    why: 'gdb widens a table’s columns to the ids and ports in it',
    apply: (text) =>
      text.replace(/^(?:[* ] (?:Id|Num|\d+) +(?:Target Id|Description|Thread|process|<null>)) .*$/gm, squeeze),
  },
];

function squeeze(line: string): string {
  return line.replace(/ {2,}/g, ' ').trimEnd();
}

/** Ids become their order of appearance, so that which thread does what is still compared. */
function numberIds(text: string): string {
  const seen = new Map<string, string>();
  const name = (id: string): string => {
    const known = seen.get(id) ?? `<id ${seen.size + 1}>`;
    seen.set(id, known);
    return known;
  };
  return (
    text
      .replace(/\b(Thread )(\d+)\.(\d+)\b/g, (_, word, pid, tid) => `${word}${name(pid)}.${name(tid)}`)
      .replace(/\b(process |pid = |Killing process\(es\): )(\d+)\b/g, (_, word, pid) => `${word}${name(pid)}`)
      // The word that pthread_join waits on is the thread's id, and gdb prints it as an argument.
      .replace(/\b(expected=|si_pid = )(\d+)\b/g, (all, word, id) => (seen.has(id) ? `${word}${name(id)}` : all))
  );
}

export function normalise(transcript: Transcript): Transcript {
  const apply = (text: string): string => RULES.reduce((result, rule) => rule.apply(result), text);
  return { gdb: apply(transcript.gdb), program: transcript.program, server: apply(transcript.server) };
}
