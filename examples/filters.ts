/** Which hits count: conditions on values, filters on threads, children or not. `scripts/example filters ./shop fork` */
import { ProbeSession } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop', 'fork'], machine: { fastSleep: true } });
const { pid } = session;

// Evaluated at the hit; what is false is not told.
const dear = session.trace('price item=$arg1:u8 /item >= 4/', ({ args }) => console.log(`dear: ${args.item}`));

// The program alone; with its children; its children alone: a thread that is not wanted does not even meet a breakpoint.
const own = session.trace('price', () => undefined);
const all = session.trace('price', () => undefined, { follow: true });
let inChildren = 0;
session.probe(
  'price',
  {
    handler() {
      inChildren++;
      return 'continue';
    },
    wantsProbe: (thread) => thread.process.pid !== pid,
  },
  { follow: true },
);
await session.run();
console.log(`dear ${dear.hits}, own ${own.hits}, all ${all.hits}, in children ${inChildren}`);
