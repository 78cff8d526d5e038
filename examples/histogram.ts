/** How large are the blocks that a program asks malloc for? `scripts/example histogram /bin/ls -l` */
import { Histogram, ProbeSession } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: process.argv.slice(2), search: true });
const sizes = new Histogram();
session.trace('libc:malloc size=$arg1:u64', ({ args }) => {
  sizes.add(args.size as bigint);
});
await session.run();
for (const line of sizes.lines()) console.log(line);
