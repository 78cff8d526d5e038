/** Packet mode of pseudo-terminals (TIOCPKT, ioctl_tty(2)): what a master is told of its terminal, in a read of its own. */
import { CC, IFLAG, type Termios } from './termios.js';

/** TIOCPKT_*: input or output was flushed, output stopped or goes on, ^S and ^Q are the program's own or flow control. */
export const PACKET = { FLUSHREAD: 1, FLUSHWRITE: 2, STOP: 4, START: 8, NOSTOP: 16, DOSTOP: 32 } as const;

const OPPOSITES: readonly (readonly [number, number])[] = [
  [PACKET.STOP, PACKET.START],
  [PACKET.NOSTOP, PACKET.DOSTOP],
];
const [XON, XOFF] = [0x11, 0x13];

/** What is still to be told, and what became of it: of two opposites the last one holds. */
export function withNews(before: number, news: number): number {
  let kept = before;
  for (const [one, other] of OPPOSITES) {
    if (news & one) kept &= ~other;
    if (news & other) kept &= ~one;
  }
  return kept | news;
}

/** Who changes the attributes of a terminal may change who sees ^S and ^Q. */
export function flowNews(before: Termios, after: Termios): number {
  if (controlsFlow(before) === controlsFlow(after)) return 0;
  return controlsFlow(after) ? PACKET.DOSTOP : PACKET.NOSTOP;
}

function controlsFlow({ iflag, cc }: Termios): boolean {
  return (iflag & IFLAG.IXON) !== 0 && cc[CC.STOP] === XOFF && cc[CC.START] === XON;
}
