/** The first line of a script (fs/binfmt_script.c). */

/** BINPRM_BUF_SIZE: so much of a file decides what it is. */
export const HEAD_BYTES = 256;

export interface Interpreter {
  readonly path: Uint8Array;
  /** Everything behind the path, as one argument. */
  readonly argument: Uint8Array | undefined;
}

const NEWLINE = 10;

export function isScript(head: Uint8Array): boolean {
  return head[0] === 0x23 && head[1] === 0x21;
}

/** Who runs the script; undefined for ENOEXEC: no name, or one that the head does not hold to its end. `head`: HEAD_BYTES, zeros behind a shorter file. */
export function interpreterOf(head: Uint8Array): Interpreter | undefined {
  const end = endOfLine(head);
  if (end === undefined) return undefined;
  const name = skip(head, 2, end);
  if (name === end) return undefined;
  const nameEnd = terminator(head, name, end);
  const hasMore = nameEnd < end && head[nameEnd] !== 0;
  const argument = hasMore ? skip(head, nameEnd, end) : end;
  if (argument === end) return { path: head.slice(name, nameEnd), argument: undefined };
  const zero = head.indexOf(0, argument);
  return { path: head.slice(name, nameEnd), argument: head.slice(argument, zero < 0 ? end : Math.min(end, zero)) };
}

/** Behind the last byte of the line that is no blank. A line that the head does not end must at least show the end of the name. */
function endOfLine(head: Uint8Array): number | undefined {
  const last = HEAD_BYTES - 1;
  let end = head.indexOf(NEWLINE);
  if (end < 0) {
    const name = skip(head, 2, last);
    if (terminator(head, name, last) === last) return undefined;
    end = last;
  }
  while (isBlank(head[end - 1])) end--;
  return end;
}

function skip(head: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(head[at])) at++;
  return at;
}

function terminator(head: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && !isBlank(head[at]) && head[at] !== 0) at++;
  return at;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 9;
}
