// The same probes under sidestep: reads the plan that its argument names, runs its program, writes the events to the file that the plan names. A process of its own,
// because the program prints to its stdout.
import { readFileSync, writeFileSync } from 'node:fs';
import { GPR, isProbeError, ProbeSession } from '../../dist/uprobes-api.js';

const { argv, environment, directory, probes, machine, to } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const session = ProbeSession.spawn({
  argv,
  directory,
  environment: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  machine,
});

const REGISTERS = new Map(Object.entries(GPR).map(([name, number]) => [name.toLowerCase().replace(/^r(?!\d)/, ''), number]));

/** `size=%di:u64` as a function of the hit. */
function reader(arg) {
  const [, register] = /^\w+=(?:%|\$)(\w+)/.exec(arg);
  const mask = /:[us]32$/.test(arg) ? 32 : 64;
  if (register === 'flags') return ({ thread }) => BigInt(thread.readFlags());
  const number = register === 'retval' ? GPR.RAX : REGISTERS.get(register);
  const signed = /:s32$/.test(arg);
  return (hit) => {
    const value = BigInt.asUintN(mask, hit.get(number));
    return BigInt.asUintN(64, signed ? BigInt.asIntN(mask, value) : value);
  };
}

const events = [];
const refused = {};
for (const { name, file, offset, returns, args } of probes) {
  const readers = args.map(reader);
  const seen = (hit) => {
    const values = readers.map((read) => `0x${read(hit).toString(16)}`);
    events.push({ pid: hit.thread.process.pid, name, address: `0x${hit.address.toString(16)}`, values });
    return 'continue';
  };
  const handlers = returns ? { retHandler: seen } : { handler: seen };
  const probe = session.probe({ kind: 'offset', module: file, offset }, handlers, { follow: true });
  if (probe.refusal !== undefined && isProbeError(probe.refusal)) refused[name] = probe.refusal;
}
const status = await session.run();
const { statistics } = session.report();
writeFileSync(to, JSON.stringify({ events, refused, status, statistics, pid: session.pid }));
