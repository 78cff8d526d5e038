/** Probes go when they are told to, from anywhere, also from their own handlers. `scripts/example unregister ./shop` */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProbeSession } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop'], machine: { fastSleep: true } });

// By what the handler returns: this process need not be probed any more.
const once = session.trace('total', () => 'remove');

// By the object. `remove` does not wait: a handler that sleeps may go on.
let seen = 0;
const twice = session.probe('price', {
  async handler() {
    seen++;
    await sleep(1);
    if (seen === 2) {
      twice.remove();
      // This resolves when no handler of the probe runs: the one here is the last.
      void twice.removed().then(() => console.log('nobody is inside any more'));
    }
    return 'continue' as const;
  },
});
await session.run();
console.log(`once ${once.hits}, twice ${seen}`);
console.log(`${session.report().probepoints.length} probepoints are left`);
