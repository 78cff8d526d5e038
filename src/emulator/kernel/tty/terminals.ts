/** The terminals of a machine. */
import type { HostTty } from './host-tty.js';
import { PtySlave } from './pty.js';
import type { Tty } from './tty.js';

export class Terminals {
  /** The one that the server was started on, when it has one and somebody has asked for it. */
  host: HostTty | undefined;
  private readonly ptys = new Map<number, PtySlave>();

  /** By its device number. */
  find(id: number): Tty | undefined {
    if (this.host?.id === id) return this.host;
    for (const pty of this.ptys.values()) if (pty.id === id) return pty;
    return undefined;
  }

  pty(number: number): PtySlave | undefined {
    return this.ptys.get(number);
  }

  /** Numbers of those that there are, ascending. */
  get ptyNumbers(): number[] {
    return [...this.ptys.keys()].sort((a, b) => a - b);
  }

  get freePtyNumber(): number {
    for (let number = 0; ; number++) if (!this.ptys.has(number)) return number;
  }

  add(pty: PtySlave): void {
    this.ptys.set(pty.number, pty);
  }

  remove(tty: Tty): void {
    if (tty instanceof PtySlave) this.ptys.delete(tty.number);
  }
}
