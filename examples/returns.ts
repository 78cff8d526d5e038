/** What functions return, and how long they take. A session cookie ties a return to its call. `scripts/example returns ./shop` */
import { argument, ProbeSession, returnValue } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop'], machine: { fastSleep: true } });
session.probe('price', {
  handler(hit) {
    hit.cookie = argument(hit, 0);
    // This call's return is of no interest.
    return hit.cookie === 3n ? 'ignore' : 'continue';
  },
  retHandler(hit) {
    console.log(`price(${hit.cookie}) = ${returnValue(hit)}`);
  },
});
// The same as an event: arguments of the call, the result, virtual nanoseconds.
const total = session.trace('ret:total depth=$arg1:u32 sum=$retval:u64', ({ args, duration = 0 }) => {
  console.log(`total(${args.depth}) = ${args.sum}${duration > 0 ? '' : ' in no time?'}`);
});
await session.run();
console.log(`${total.hits} returns of total`);
