/** Where the code of a source line begins, as a debugger would set its breakpoints. */
import { posix } from 'node:path';
import { type LineRow, type LineUnit, lineUnits } from './dwarf/line-table.js';
import { type Scope, type UnitScopes, unitScopes } from './dwarf/scopes.js';
import type { ElfFile } from './elf-file.js';

/** What was found of a line. */
export interface LineSearch {
  /** One address for each function, inlined copy or block that has code of the line; as linked, ascending. */
  readonly addresses: readonly number[];
  /** Paths of the sources that go by the name: none, and there is no such file. */
  readonly sources: readonly string[];
  /** When the line has no code: the lines next to it that have, below and above. */
  readonly neighbours: readonly number[];
}

export interface SourcePosition {
  readonly path: string;
  readonly line: number;
}

interface Candidate {
  readonly unit: LineUnit;
  readonly info: UnitScopes | undefined;
  /** Numbers in the unit's table of the files that go by the name. */
  readonly files: ReadonlySet<number>;
}

export class SourceLines {
  private readonly units: readonly LineUnit[];
  private readonly infos = new Map<number, UnitScopes | undefined>();

  /** `elf`: the file with the debug information, which need not be the one that is run. */
  constructor(private readonly elf: ElfFile) {
    this.units = lineUnits(elf);
  }

  /** The file says nothing of sources. */
  get empty(): boolean {
    return this.units.length === 0;
  }

  /**
   * `file`: a name (`shop.c`), the end of a path (`src/shop.c`) or a whole path. `within`: only code of the function that begins at this address.
   */
  find(file: string, line: number, within?: number): LineSearch {
    const candidates = this.candidates(file);
    const scope = within === undefined ? undefined : this.functionAt(within)?.scope;
    const addresses = new Set<number>();
    const lines = new Set<number>();
    for (const { unit, info, files } of candidates) {
      const rows = unit.rows.filter(
        (row) => files.has(row.file) && isPlace(row) && (scope === undefined || covers(scope, row.address)),
      );
      for (const row of rows) lines.add(row.line);
      for (const address of firstOfEachScope(rows, line, info)) addresses.add(address);
    }
    const sorted = [...lines].sort((a, b) => a - b);
    const neighbours = [sorted.filter((one) => one < line).at(-1), sorted.find((one) => one > line)];
    return {
      addresses: [...addresses].sort((a, b) => a - b),
      sources: [
        ...new Set(candidates.flatMap((candidate) => [...candidate.files].map((number) => pathOf(candidate, number)))),
      ],
      neighbours: addresses.size > 0 ? [] : neighbours.filter((one) => one !== undefined),
    };
  }

  /** Where the function that begins at the address is declared. */
  declaration(address: number): SourcePosition | undefined {
    const found = this.functionAt(address);
    if (found?.scope.line === undefined) return undefined;
    const { unit, info, scope } = found;
    const path = unit.files[scope.file ?? -1];
    return path === undefined ? undefined : { path: absolute(info, path), line: scope.line ?? 0 };
  }

  /** The source line that the instruction belongs to. */
  positionOf(address: number): SourcePosition | undefined {
    for (const unit of this.units) {
      const { rows } = unit;
      for (let i = 0; i + 1 < rows.length; i++) {
        const [row, next] = [rows[i] as LineRow, rows[i + 1] as LineRow];
        if (row.ends || address < row.address || address >= next.address) continue;
        const path = unit.files[row.file];
        return path === undefined ? undefined : { path: absolute(this.infoOf(unit), path), line: row.line };
      }
    }
    return undefined;
  }

  private candidates(wanted: string): Candidate[] {
    const name = posix.basename(wanted);
    const plain = posix.normalize(wanted);
    const found: Candidate[] = [];
    for (const unit of this.units) {
      const named = [...unit.files.keys()].filter((number) => {
        const path = unit.files[number];
        return path !== undefined && posix.basename(path) === name;
      });
      if (named.length === 0) continue;
      const info = this.infoOf(unit);
      const files = new Set(named.filter((number) => endsWith(absolute(info, unit.files[number] ?? ''), plain)));
      if (files.size > 0) found.push({ unit, info, files });
    }
    return found;
  }

  private functionAt(address: number): { unit: LineUnit; info: UnitScopes; scope: Scope } | undefined {
    for (const unit of this.units) {
      if (!unit.rows.some((row) => row.address === address && !row.ends)) continue;
      const info = this.infoOf(unit);
      const scope = info?.scopes.find(
        ({ kind, ranges }) => kind === 'function' && ranges.some(({ low }) => low === address),
      );
      if (info !== undefined && scope !== undefined) return { unit, info, scope };
    }
    return undefined;
  }

  private infoOf({ offset }: LineUnit): UnitScopes | undefined {
    if (!this.infos.has(offset)) this.infos.set(offset, unitScopes(this.elf, new Set([offset]))[0]);
    return this.infos.get(offset);
  }
}

function isPlace({ isStatement, ends, line }: LineRow): boolean {
  return isStatement && !ends && line > 0;
}

function absolute(info: UnitScopes | undefined, path: string): string {
  const { directory } = info ?? {};
  return posix.normalize(path.startsWith('/') || directory === undefined ? path : `${directory}/${path}`);
}

function pathOf({ unit, info }: Candidate, number: number): string {
  return absolute(info, unit.files[number] ?? '');
}

function endsWith(path: string, wanted: string): boolean {
  return path === wanted || (!wanted.startsWith('/') && path.endsWith(`/${wanted}`));
}

/**
 * A line of one block may have code in several places (the parts of a `for`): passing it once shall be one hit, so the first of each innermost function,
 * inlined copy or block is taken, as gdb does.
 */
function firstOfEachScope(rows: readonly LineRow[], line: number, info: UnitScopes | undefined): number[] {
  const first = new Map<Scope | undefined, number>();
  for (const row of rows) {
    if (row.line !== line) continue;
    const scope = innermost(info?.scopes ?? [], row.address);
    const known = first.get(scope);
    if (known === undefined || row.address < known) first.set(scope, row.address);
  }
  return [...first.values()];
}

function innermost(scopes: readonly Scope[], address: number): Scope | undefined {
  let best: Scope | undefined;
  for (const scope of scopes) if (covers(scope, address) && scope.depth > (best?.depth ?? -1)) best = scope;
  return best;
}

function covers({ ranges }: Scope, address: number): boolean {
  return ranges.some(({ low, high }) => address >= low && address < high);
}
