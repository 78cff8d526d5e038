/** Finds a packet's row by its exact name: a name must not be taken for a longer one that begins with it. */
import type { PacketRow } from './packet.js';

const SEPARATORS = [...':;,'].map((character) => character.charCodeAt(0));

export class Router {
  private readonly byFirst = new Map<number, PacketRow[]>();

  constructor(rows: readonly PacketRow[]) {
    for (const row of [...rows].sort((a, b) => b.prefix.length - a.prefix.length)) {
      const first = row.prefix.charCodeAt(0);
      this.byFirst.set(first, [...(this.byFirst.get(first) ?? []), row]);
    }
  }

  /** The row with the longest prefix that fits; undefined: the packet is unknown. */
  find(body: Uint8Array): PacketRow | undefined {
    return this.byFirst.get(body[0] ?? -1)?.find((row) => fits(row, body));
  }
}

function fits({ prefix, joined }: PacketRow, body: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (body[i] !== prefix.charCodeAt(i)) return false;
  const next = body[prefix.length];
  return prefix.length === 1 || joined === true || next === undefined || SEPARATORS.includes(next);
}
