/** Random changes to a few address spaces against a model of pages: bytes, faults, TLB entries, and that no translation outlives the bytes it was made from. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CodeListener, ExecutionSpace } from '../../../src/emulator/executor.js';
import type { AddressSpace } from '../../../src/emulator/memory/address-space.js';
import type { FilePages } from '../../../src/emulator/memory/page-cache.js';
import { PROT } from '../../../src/emulator/memory/vma.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { AREA_FRAMES, type Fixture, fixture, PAGE, SHARED, tlbLookup } from './fixture.js';

const AT = 0x7000_0000_0000;
const PAGES = 6;
/** Every page holds its value in this byte; the rest is zero. */
const VALUE = 0x123;
const INT3 = 0xcc;

/** A page of a space in the model: what it shows is shared with others by reference. */
interface Shown {
  prot: number;
  readonly isShared: boolean;
  cell: { value: number };
}

/** One space, its model, and what has been translated of it: the value byte of a page as it was fetched. */
interface Side {
  readonly space: AddressSpace;
  pages: (Shown | undefined)[];
  readonly translated: Map<number, number>;
  readonly probes: Set<number>;
  readonly watched: Set<number>;
}

class World implements CodeListener {
  private readonly made: Fixture = fixture();
  readonly sides: Side[] = [];

  constructor() {
    this.made.memory.listener = this;
    this.add(this.made.space(), new Array(PAGES).fill(undefined));
  }

  private add(space: AddressSpace, pages: Side['pages']): void {
    this.sides.push({ space, pages, translated: new Map(), probes: new Set(), watched: new Set() });
  }

  codeChanged({ id }: ExecutionSpace, from: number, to: number): void {
    const side = this.sides.find(({ space }) => space.id === id);
    for (const page of side?.translated.keys() ?? []) {
      const at = AT + page * PAGE + VALUE;
      if (at >= from && at < to) side?.translated.delete(page);
    }
  }

  spaceGone(): void {}

  map(side: Side, from: number, count: number, prot: number, isShared: boolean): void {
    const { space } = side;
    const pages: FilePages | undefined = isShared ? this.made.cache.shared(count * PAGE) : undefined;
    const flags = isShared ? SHARED : 0;
    space.mappings.map({ at: AT + from * PAGE, length: count * PAGE, prot, flags, pages });
    this.forget(side, from, count);
    for (let page = from; page < from + count; page++) side.pages[page] = { prot, isShared, cell: { value: 0 } };
  }

  unmap(side: Side, from: number, count: number): void {
    side.space.mappings.unmap(AT + from * PAGE, AT + (from + count) * PAGE);
    this.forget(side, from, count);
    side.pages.fill(undefined, from, from + count);
  }

  /** Breakpoints go with what they were in. */
  private forget({ probes }: Side, from: number, count: number): void {
    for (let page = from; page < from + count; page++) probes.delete(page);
  }

  protect(side: Side, from: number, count: number, prot: number): void {
    side.space.mappings.protect(AT + from * PAGE, AT + (from + count) * PAGE, prot);
    for (const shown of side.pages.slice(from, from + count)) if (shown !== undefined) shown.prot = prot;
  }

  discard(side: Side, page: number): void {
    side.space.mappings.discard(AT + page * PAGE, AT + (page + 1) * PAGE);
    const shown = side.pages[page];
    if (shown !== undefined && !shown.isShared) shown.cell = { value: 0 };
  }

  move(side: Side, from: number, to: number): void {
    const shown = side.pages[from];
    if (from === to || shown === undefined) return;
    this.unmap(side, to, 1);
    side.space.mappings.move(AT + from * PAGE, PAGE, AT + to * PAGE, PAGE, false);
    this.forget(side, from, 1);
    side.pages[to] = shown;
    side.pages[from] = undefined;
  }

  fork(side: Side): void {
    if (this.sides.length > 3) return;
    const child = side.space.fork();
    if (child === undefined) throw new Error('no room for a child');
    this.add(
      child,
      side.pages.map((shown) => shown && { ...shown, cell: shown.isShared ? shown.cell : { ...shown.cell } }),
    );
  }

  end(side: Side): void {
    if (this.sides.length === 1) return;
    this.sides.splice(this.sides.indexOf(side), 1);
    side.space.destroy();
  }

  /** A store as generated code makes it: by the TLB, after a fill if need be. */
  store(side: Side, page: number, value: number): void {
    const { space } = side;
    const at = AT + page * PAGE + VALUE;
    const shown = side.pages[page];
    let how: string = 'hit';
    if (tlbLookup(space, at, 1, true) === undefined) how = space.fill(at, ACCESS.WRITE);
    const allowed = shown !== undefined && (shown.prot & PROT.WRITE) !== 0;
    expect(['hit', 'filled', 'once'].includes(how)).toBe(allowed);
    if (shown === undefined || !allowed) return;
    space.memory.physical.u8[tlbLookup(space, at, 1, true) as number] = value;
    const hits = how === 'once' ? space.settle([{ address: at, size: 1, access: ACCESS.WRITE }]) : [];
    expect(hits.length).toBe(side.watched.has(page) ? 1 : 0);
    shown.cell.value = value;
  }

  load(side: Side, page: number): void {
    const { space } = side;
    const at = AT + page * PAGE + VALUE;
    const shown = side.pages[page];
    const how = tlbLookup(space, at, 1, false) === undefined ? space.fill(at, ACCESS.READ) : 'hit';
    expect(['hit', 'filled', 'once'].includes(how)).toBe(shown !== undefined && shown.prot !== PROT.NONE);
    const physical = tlbLookup(space, at, 1, false);
    if (shown !== undefined && physical !== undefined)
      expect(space.memory.physical.u8[physical]).toBe(shown.cell.value);
    if (how === 'once') space.settle([]);
  }

  copyIn(side: Side, page: number, value: number): void {
    const shown = side.pages[page];
    const put = side.space.write(AT + page * PAGE + VALUE, Uint8Array.of(value));
    expect(put).toBe(shown !== undefined && shown.prot & PROT.WRITE ? 1 : 0);
    if (put === 1 && shown !== undefined) shown.cell.value = value;
  }

  poke(side: Side, page: number, value: number): void {
    const shown = side.pages[page];
    const isDone = side.space.poke(AT + page * PAGE + VALUE, Uint8Array.of(value));
    expect(isDone).toBe(shown !== undefined && (!shown.isShared || (shown.prot & PROT.WRITE) !== 0));
    if (isDone && shown !== undefined) shown.cell.value = value;
  }

  /** Translates the byte, as execution does with what it fetches. */
  translate(side: Side, page: number): void {
    const { space } = side;
    const at = AT + page * PAGE + VALUE;
    const physical = space.fetch(at);
    const shown = side.pages[page];
    expect(typeof physical === 'number').toBe(shown !== undefined && (shown.prot & PROT.EXEC) !== 0);
    if (typeof physical !== 'number') return;
    side.translated.set(page, space.memory.physical.u8[physical] as number);
    space.markCode(at, at + 1);
  }

  probe(side: Side, page: number): void {
    const isThere = side.probes.has(page);
    const at = AT + page * PAGE + VALUE;
    if (isThere) expect(side.space.removeSwbp(at)).toBe(true);
    else expect(side.space.insertSwbp(at)).toBe(side.pages[page] !== undefined);
    if (isThere) side.probes.delete(page);
    else if (side.pages[page] !== undefined) side.probes.add(page);
  }

  watch(side: Side, page: number): void {
    if (!side.watched.delete(page)) side.watched.add(page);
    const ranges = [...side.watched].map((index) => {
      const from = AT + index * PAGE + VALUE;
      return { from, to: from + 1, read: false, write: true };
    });
    side.space.watch(ranges);
  }

  check(): void {
    for (const side of this.sides) for (let page = 0; page < PAGES; page++) this.checkPage(side, page);
  }

  private checkPage({ space, pages, translated, probes, watched }: Side, page: number): void {
    const { memory } = space;
    const shown = pages[page];
    const at = AT + page * PAGE + VALUE;
    const byte = new Uint8Array(1);
    must(space.peek(at, byte) === (shown === undefined ? 0 : 1), 'mapped as the model');
    must(shown === undefined || byte[0] === shown.cell.value, 'the value of the model');
    must(space.hasSwbp(at) === probes.has(page), 'the breakpoints of the model');
    const frame = space.pager.table.get(page + AT / PAGE);
    for (const write of [false, true]) {
      const physical = tlbLookup(space, at, 1, write);
      if (physical === undefined) continue;
      must(Math.floor(physical / PAGE) === frame, 'a TLB entry is for the frame of its page');
      must(!watched.has(page), 'a watched page has no lasting entry');
      must(shown !== undefined && shown.prot !== PROT.NONE, 'what has an entry can be accessed');
      if (!write) continue;
      must(!memory.code.has(frame), 'a page with code has no lasting write entry');
      must(((shown?.prot ?? 0) & PROT.WRITE) !== 0, 'what has a write entry can be written');
      must(
        shown?.isShared || memory.frames.usersOf(frame) === 1,
        'a private page that is written is alone in its frame',
      );
    }
    const old = translated.get(page);
    if (old === undefined) return;
    must(shown !== undefined && (shown.prot & PROT.EXEC) !== 0, 'what is translated can be executed');
    must(old === (probes.has(page) ? INT3 : byte[0]), 'a translation is of the bytes that are there');
  }

  /** Everything ends: all frames come back but those of areas, which are kept for the next space. */
  close(): void {
    const { frames } = this.made.memory;
    for (const { space } of this.sides) space.destroy();
    expect((frames.total - frames.free) % AREA_FRAMES).toBe(0);
  }
}

/** Cheaper than `expect`, for what is checked a million times. */
function must(holds: boolean | undefined, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

const side = fc.nat(3);
const page = fc.nat(PAGES - 1);
const value = fc.integer({ min: 1, max: 100 });
const prot = fc.constantFrom(PROT.NONE, PROT.READ, 3, 3, 5, 7, 7, 7);

type Act = (world: World, on: Side) => void;

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(page, fc.integer({ min: 1, max: 3 }), prot, fc.boolean()).map(([from, count, bits, shared]): Act => (world, on) => {
    world.map(on, from, Math.min(count, PAGES - from), bits, shared);
  }),
  fc.tuple(page, fc.integer({ min: 1, max: 3 })).map(([from, count]): Act => (world, on) => world.unmap(on, from, Math.min(count, PAGES - from))),
  fc.tuple(page, fc.integer({ min: 1, max: 3 }), prot).map(([from, count, bits]): Act => (world, on) => {
    world.protect(on, from, Math.min(count, PAGES - from), bits);
  }),
  page.map((at): Act => (world, on) => world.discard(on, at)),
  fc.tuple(page, page).map(([from, to]): Act => (world, on) => world.move(on, from, to)),
  fc.constant<Act>((world, on) => world.fork(on)),
  fc.constant<Act>((world, on) => world.end(on)),
  page.map((at): Act => (world, on) => world.load(on, at)),
  ...[1, 2, 3].map(() => fc.tuple(page, value).map(([at, byte]): Act => (world, on) => world.store(on, at, byte))),
  fc.tuple(page, value).map(([at, byte]): Act => (world, on) => world.copyIn(on, at, byte)),
  fc.tuple(page, value).map(([at, byte]): Act => (world, on) => world.poke(on, at, byte)),
  ...[1, 2, 3].map(() => page.map((at): Act => (world, on) => world.translate(on, at))),
  page.map((at): Act => (world, on) => world.probe(on, at)),
  page.map((at): Act => (world, on) => world.watch(on, at)),
); // biome-ignore format: a table

test('bytes, faults, TLB entries and translations agree with a model of pages', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(side, act), { minLength: 10, maxLength: 80 }), (steps) => {
      const world = new World();
      world.map(world.sides[0] as Side, 0, PAGES, 7, false);
      for (const [on, step] of steps) {
        step(world, world.sides[on % world.sides.length] as Side);
        world.check();
      }
      world.close();
    }),
    { numRuns: 80 },
  );
});
