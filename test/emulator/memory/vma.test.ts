import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PROT, type Vma, VmaList } from '../../../src/emulator/memory/vma.js';

const PAGE = 4096;
const PAGES = 24;

function vma(start: number, end: number, prot: number): Vma {
  const maxProt = 7;
  return { start: start * PAGE, end: end * PAGE, prot, maxProt, flags: 0, pages: undefined, offset: 0, name: '' };
}

/** The protection of each page, -1 where nothing is. */
function flatten(list: VmaList): number[] {
  const pages = new Array<number>(PAGES).fill(-1);
  for (const { start, end, prot } of list.all()) {
    for (let page = start / PAGE; page < end / PAGE; page++) {
      if (pages[page] !== -1) throw new Error('mappings overlap');
      pages[page] = prot;
    }
  }
  return pages;
}

const action = fc.record({
  kind: fc.constantFrom('map', 'unmap', 'protect'),
  from: fc.nat(PAGES - 1),
  length: fc.integer({ min: 1, max: PAGES }),
  prot: fc.constantFrom(PROT.NONE, PROT.READ, PROT.READ | PROT.WRITE),
});

test('a list of mappings does what a table of pages does, and joins what is alike', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const list = new VmaList();
      const model = new Array<number>(PAGES).fill(-1);
      for (const { kind, from, length, prot } of actions) {
        const to = Math.min(PAGES, from + length);
        if (kind === 'protect') {
          for (const met of list.isolate(from * PAGE, to * PAGE)) met.prot = prot;
          list.join(from * PAGE, to * PAGE);
          for (let page = from; page < to; page++) if (model[page] !== -1) model[page] = prot;
        } else {
          list.remove(from * PAGE, to * PAGE);
          if (kind === 'map') list.insert(vma(from, to, prot));
          model.fill(kind === 'map' ? prot : -1, from, to);
        }
        expect(flatten(list)).toEqual(model);
        const changes = model.filter((value, page) => value !== -1 && model[page - 1] !== value).length;
        expect(list.count).toBe(changes);
        checkLookups(list, model);
      }
    }),
  );
});

function checkLookups(list: VmaList, model: readonly number[]): void {
  for (let page = 0; page < PAGES; page++) {
    const at = page * PAGE + 5;
    expect(list.find(at)?.prot ?? -1).toBe(model[page]);
    const next = model.findIndex((value, other) => other >= page && value !== -1);
    expect(list.next(at)?.end).toBe(next < 0 ? undefined : list.find(next * PAGE)?.end);
    const previous = model.slice(0, page + 1).findLastIndex((value) => value !== -1);
    expect(list.previous(at)).toBe(previous < 0 ? undefined : list.find(previous * PAGE));
    const gap = model.findIndex((value, other) => other >= page && value === -1);
    const covered = (gap < 0 ? PAGES : gap) * PAGE;
    expect(list.covers(page * PAGE, covered)).toBe(true);
    expect(list.covers(page * PAGE, covered + 1)).toBe(false);
  }
}
