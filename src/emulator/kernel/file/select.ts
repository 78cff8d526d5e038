/** select(2), pselect6(2) (fs/select.c: do_select). */
import { EBADF, EFAULT, EINVAL } from '../errno.js';
import { RLIMIT } from '../limits.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import { filesOf } from './file-table.js';
import { O, POLL } from './open-file.js';
import {
  isOver,
  keysOf,
  type Limit,
  pollOne,
  takeMask,
  tellRest,
  timespecLimit,
  timevalLimit,
  toldBack,
} from './poll-wait.js';

/** What each of the three sets asks for, and which events put a descriptor into the answer. */
const EVENTS = [
  POLL.RDNORM | POLL.RDBAND | POLL.IN | POLL.HUP | POLL.ERR,
  POLL.WRBAND | POLL.WRNORM | POLL.OUT | POLL.ERR,
  POLL.PRI,
] as const;

/** One descriptor: the sets that it is in, as bits 1, 2, 4. */
interface Member {
  readonly fd: number;
  readonly events: number;
  readonly sets: number;
}

interface SelectWait {
  readonly members: readonly Member[];
  /** Bytes of each set. */
  readonly size: number;
  readonly limit: Limit;
}

/** Sets are words of 64 bits; bit n stands for descriptor n. */
function setBytes(count: number): number {
  return 8 * Math.ceil(count / 64);
}

function readMembers({ memory, process, args }: SyscallContext, count: number): Member[] | number {
  const sets: (Uint8Array | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    const at = args[i + 1] as number;
    const bytes = at === 0 ? undefined : memory.readBytes(at, setBytes(count));
    if (at !== 0 && bytes === undefined) return -EFAULT;
    sets.push(bytes);
  }
  const members: Member[] = [];
  for (let fd = 0; fd < count; fd++) {
    const member = memberOf(sets, fd);
    if (member === undefined) continue;
    const file = filesOf(process).get(fd);
    if (file === undefined || file.flags & O.PATH) return -EBADF;
    members.push(member);
  }
  return members;
}

function memberOf(sets: readonly (Uint8Array | undefined)[], fd: number): Member | undefined {
  let events = 0;
  let bits = 0;
  for (const [i, set] of sets.entries()) {
    if (set === undefined || !(((set[fd >> 3] as number) >> (fd & 7)) & 1)) continue;
    bits |= 1 << i;
    events |= EVENTS[i] as number;
  }
  return bits === 0 ? undefined : { fd, events, sets: bits };
}

function run(context: SyscallContext, limit: Limit): SyscallResult {
  const wanted = (context.args[0] as number) | 0;
  if (wanted < 0) return -EINVAL;
  const count = Math.min(wanted, context.process.limits[RLIMIT.NOFILE]?.hard ?? 0);
  const members = readMembers(context, count);
  return typeof members === 'number' ? members : look(context, { members, size: setBytes(count), limit });
}

function look(context: SyscallContext, progress: SelectWait): SyscallResult {
  const { members, size, limit } = progress;
  const answer = [0, 1, 2].map(() => new Uint8Array(size));
  let count = 0;
  for (const member of members) count += mark(answer, member, pollOne(context, member));
  if (count === 0 && !isOver(context, limit)) {
    return block(context, { keys: keysOf(context, members), deadline: limit.deadline, progress });
  }
  tellRest(context, limit);
  return tell(context, answer) ? count : -EFAULT;
}

/** Puts the descriptor into the sets that its events are for; into how many. A descriptor that was closed meanwhile is in all of its. */
function mark(answer: readonly Uint8Array[], { fd, sets }: Member, found: number): number {
  let count = 0;
  for (const [i, set] of answer.entries()) {
    if (!((sets >> i) & 1) || !(found & ((EVENTS[i] as number) | POLL.NVAL))) continue;
    set[fd >> 3] = (set[fd >> 3] as number) | (1 << (fd & 7));
    count++;
  }
  return count;
}

function tell({ memory, args }: SyscallContext, answer: readonly Uint8Array[]): boolean {
  return answer.every((set, i) => args[i + 1] === 0 || memory.writeBytes(args[i + 1] as number, set));
}

function select(context: SyscallContext): SyscallResult {
  const limit = timevalLimit(context, context.args[4] as number);
  return typeof limit === 'number' ? limit : run(context, limit);
}

/** The sixth argument points to the mask's address and size: six registers are all there are. */
function pselect6(context: SyscallContext): SyscallResult {
  const { memory, args } = context;
  const [timeout, packed] = [args[4] as number, args[5] as number];
  const mask = packed === 0 ? 0 : memory.readU64(packed);
  const size = packed === 0 ? 0 : memory.readU64(packed + 8);
  if (mask === undefined || size === undefined) return -EFAULT;
  const limit = timespecLimit(context, timeout);
  if (typeof limit === 'number') return limit;
  const taken = takeMask(context, mask, size);
  return taken === 0 ? run(context, limit) : taken;
}

const resume = (context: SyscallContext, { progress }: Blocked): SyscallResult => look(context, progress as SelectWait);

export const selectSyscalls: readonly SyscallRow[] = [
  { nr: 23, name: 'select', run: select, resume, ...toldBack },
  { nr: 270, name: 'pselect6', run: pselect6, resume, ...toldBack },
];
