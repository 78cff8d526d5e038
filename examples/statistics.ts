/** What the engine counts: hits, how originals were executed, what is in place. `scripts/example statistics ./shop` */
import { ProbeSession } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop'], machine: { fastSleep: true } });
const keep = session.probe('price', { handler: () => 'continue' });
session.probe('total', { retHandler: () => undefined });
session.probe('main', {
  retHandler() {
    // Before the program ends, and its probepoints with it.
    for (const { insn, hits, method, consumers } of session.report().probepoints) {
      console.log(`${insn}: ${hits} hits, ${consumers} consumers, ${method ?? 'not executed'}`);
    }
  },
});
await session.run();
const { statistics } = session.report();
console.log(
  `${statistics.hits} hits, ${statistics.returns} returns; ${keep.hits} of price in ${[...keep.files].length} file`,
);
console.log(Object.entries(statistics.executed).filter(([, count]) => count > 0));
