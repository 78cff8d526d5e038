/**
 * The ways to say where: by address, function, function of a library with an offset, source line, offset in a file, USDT probe.
 * `gcc -g -O1 -o shop test/guests/shop.c; scripts/example places ./shop`
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ElfFile, elfSymbols, ProbeSession } from 'sidestep/uprobes';

const program = resolve(process.argv[2] ?? './shop');
const elf = ElfFile.read(readFileSync(program));
const price = elf && elfSymbols(elf).find(({ name }) => name === 'price');
if (elf === undefined || price === undefined) throw new Error(`${program} has no function price`);

const session = ProbeSession.spawn({ argv: [program], machine: { fastSleep: true } });
const counts = new Map<string, number>();
const count = (place: string): void => {
  session.probe(place, {
    handler() {
      counts.set(place, (counts.get(place) ?? 0) + 1);
      return 'continue';
    },
  });
};
count('price');
count('libc:malloc+0');
count('shop.c:28');
count(`${program}@0x${elf.offsetOf(price.address)?.toString(16)}`);
count('usdt:shop:sold');

// An address is one of the process: the place of the same function is known when it is hit for the first time.
const first = session.probe('main', {
  handler(hit) {
    const main = elfSymbols(elf).find(({ name }) => name === 'main');
    const moved = hit.address - (main?.address ?? 0);
    count(`0x${(price.address + moved).toString(16)}`);
    first.remove();
    return 'continue';
  },
});
await session.run();
for (const [place, hits] of counts)
  console.log(`${hits} ${place.replace(program, 'shop').replace(/0x[0-9a-f]+/, '0x...')}`);
