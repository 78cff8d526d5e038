/** poll(2), ppoll(2) (fs/select.c: do_poll). */
import { EFAULT, EINVAL, ERESTART_RESTARTBLOCK } from '../errno.js';
import { RLIMIT } from '../limits.js';
import { block, type SyscallContext, type SyscallResult, type SyscallRow } from '../syscall-table.js';
import type { Blocked } from '../wait.js';
import {
  type Interest, isOver, keysOf, type Limit, millisecondLimit, pollOne, takeMask, tellRest, timespecLimit, toldBack,
} from './poll-wait.js'; // biome-ignore format: one list

/** sizeof(struct pollfd): fd, events, revents. */
const POLLFD = 8;
const REVENTS = 6;

/** What a sleeping poll keeps: the array as it was at the call. */
interface PollWait {
  readonly interests: readonly Interest[];
  readonly limit: Limit;
}

function readInterests({ memory, process, args }: SyscallContext): Interest[] | number {
  const at = args[0] as number;
  const count = (args[1] as number) >>> 0;
  if (count > (process.limits[RLIMIT.NOFILE]?.soft ?? 0)) return -EINVAL;
  const bytes = memory.readBytes(at, POLLFD * count);
  if (bytes === undefined) return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => {
    return { fd: view.getInt32(POLLFD * i, true), events: view.getUint16(POLLFD * i + 4, true) };
  });
}

function run(context: SyscallContext, limit: Limit): SyscallResult {
  const interests = readInterests(context);
  return typeof interests === 'number' ? interests : look(context, { interests, limit });
}

/** Looks at every descriptor; sleeps when none has anything to tell and there is time left. */
function look(context: SyscallContext, progress: PollWait): SyscallResult {
  const { interests, limit } = progress;
  const found = interests.map((interest) => pollOne(context, interest));
  const count = found.filter((bits) => bits !== 0).length;
  if (count === 0 && !isOver(context, limit)) {
    return block(context, { keys: keysOf(context, interests), deadline: limit.deadline, progress });
  }
  tellRest(context, limit);
  return tell(context, found) ? count : -EFAULT;
}

function tell({ memory, args }: SyscallContext, found: readonly number[]): boolean {
  const at = args[0] as number;
  return found.every((bits, i) => memory.writeBytes(at + POLLFD * i + REVENTS, Uint8Array.of(bits & 0xff, bits >> 8)));
}

function poll(context: SyscallContext): SyscallResult {
  return run(context, millisecondLimit(context, (context.args[2] as number) | 0));
}

function ppoll(context: SyscallContext): SyscallResult {
  const [, , timeout, mask, size] = context.args as [number, number, number, number, number];
  const limit = timespecLimit(context, timeout);
  if (typeof limit === 'number') return limit;
  const taken = takeMask(context, mask, size);
  return taken === 0 ? run(context, limit) : taken;
}

const resume = (context: SyscallContext, { progress }: Blocked): SyscallResult => look(context, progress as PollWait);

export const pollSyscalls: readonly SyscallRow[] = [
  { nr: 7, name: 'poll', run: poll, resume, interrupt: () => -ERESTART_RESTARTBLOCK },
  { nr: 271, name: 'ppoll', run: ppoll, resume, ...toldBack },
];
