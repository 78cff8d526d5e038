/**
 * A handler may sleep: its thread waits, and only that. It sees registers and memory, and may change them.
 * `scripts/example async-handlers ./shop` doubles what the shop sells, after asking somebody who takes his time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GPR, ProbeSession, stringAt } from 'sidestep/uprobes';

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop'], machine: { fastSleep: true } });
session.probe('price', {
  async handler(hit) {
    const count = hit.get(GPR.RSI);
    await sleep(5);
    hit.set(GPR.RSI, 2n * count);
    console.log(`item ${hit.get(GPR.RDI)}: ${count} becomes ${hit.get(GPR.RSI)}`);
    return 'continue' as const;
  },
});
session.probe('libc:free', {
  handler(hit) {
    const block = hit.get(GPR.RDI);
    if (stringAt(hit, block) !== 'ware') return 'continue';
    hit.write(block, Buffer.from('WARE\0'));
    console.log(`freed: ${stringAt(hit, block)}`);
    return 'continue';
  },
});
console.log(await session.run());
