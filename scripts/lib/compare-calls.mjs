// Calls of functions in two runs of a program: how many, in which order, with which arguments and results.

/** Pointers differ between two runs; which one it is, in the order of their appearance, does not. */
function normalised(events, probes) {
  const known = new Map();
  const nth = (pointer) => {
    if (pointer === 0n) return 'null';
    if (!known.has(pointer)) known.set(pointer, known.size);
    return `p${known.get(pointer)}`;
  };
  const args = new Map(probes.map(({ name, args }) => [name, args]));
  return events.map(({ name, values }) => {
    const shown = values.map((value, i) => (args.get(name)[i].endsWith(':x64') ? nth(value) : String(value)));
    return `${name}(${shown.join(', ')})`;
  });
}

/** The processes in the order in which each is first seen. */
function byProcess(events) {
  const processes = new Map();
  for (const event of events) {
    if (!processes.has(event.pid)) processes.set(event.pid, []);
    processes.get(event.pid).push(event);
  }
  return [...processes.values()];
}

const count = (events, name) => events.filter((event) => event.name === name).length;

/** Prints; the number of differences. */
export function compareCalls({ program, probes }, { kernel, sidestep }, say) {
  say(`\n${program}: ${kernel.events.length} events in ${byProcess(kernel.events).length} processes`);
  let differences = 0;
  for (const { name } of probes) {
    const counts = [count(kernel.events, name), count(sidestep.events, name)];
    if (counts[0] !== counts[1]) differences++;
    say(`  ${name.padEnd(12)} kernel ${String(counts[0]).padStart(7)}  sidestep ${String(counts[1]).padStart(7)}`);
  }
  const [theirs, ours] = [byProcess(kernel.events), byProcess(sidestep.events)];
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    const [expected, found] = [theirs[i] ?? [], ours[i] ?? []].map((events) => normalised(events, probes));
    const at = expected.findIndex((event, n) => event !== found[n]);
    if (at < 0 && expected.length === found.length) continue;
    differences++;
    const n = at < 0 ? expected.length : at;
    say(`  process ${i}: event ${n} of ${expected.length}/${found.length} differs`);
    for (let k = Math.max(0, n - 2); k < n + 4; k++) say(`    ${(expected[k] ?? '-').padEnd(40)} ${found[k] ?? '-'}`);
  }
  if (kernel.output !== sidestep.output) say('  the program printed something else');
  return differences;
}
