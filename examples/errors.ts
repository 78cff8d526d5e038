/** What can go wrong, as values of known types. `scripts/example errors ./shop` */
import { isProbeError, ProbeFailure, ProbeSession, parseEventSpec, parseProbeSpec, SpawnError } from 'sidestep/uprobes';

try {
  ProbeSession.spawn({ argv: ['/nowhere/at/all'] });
} catch (error) {
  // Linux's errno.
  if (error instanceof SpawnError) console.log(`spawn: errno ${error.errno}`);
}

// Texts: a string says what is wrong.
console.log(parseProbeSpec('::'));
console.log(parseEventSpec('price size=%eax'));

const session = ProbeSession.spawn({ argv: [process.argv[2] ?? './shop'], machine: { fastSleep: true } });
const refused = session.tryProbe('0x10', { handler: () => 'continue' });
if (isProbeError(refused)) console.log(`tryProbe: ${refused.name} (${refused.errno}): ${refused.reason}`);
try {
  session.probe('prize', { handler: () => 'continue' });
} catch (error) {
  if (error instanceof ProbeFailure)
    console.log(`probe: ${error.error.name}: ${error.error.reason.split(';')[1]?.trim()}`);
}

// A library may come later: what is missing in it is known at the end.
const later = session.probe('libc:maloc', { handler: () => 'continue' });
await session.run();
for (const why of later.missing.values()) console.log(`libc: ${why.replace(/libc[^ ]*/, 'libc').split(';')[0]}`);
