/** What the server's own process tells the first guest process. Read once. */
import { hostname } from 'node:os';
import type { HostInputs } from './host.js';
import { pathBytes } from './path-text.js';

/** uid and gid on a host that has none. */
const NOBODY = 1000;

/** `cwd`: the guest's, where it is not the server's. */
export function hostInputs(cwd = process.cwd()): HostInputs {
  const now = Date.now();
  return {
    epoch: { seconds: Math.floor(now / 1000), nanoseconds: (now % 1000) * 1_000_000 },
    uid: process.getuid?.() ?? NOBODY,
    gid: process.getgid?.() ?? NOBODY,
    groups: process.getgroups?.() ?? [NOBODY],
    environ: Object.entries(process.env).map(([name, value]) => pathBytes(`${name}=${value ?? ''}`)),
    cwd,
    umask: process.umask(),
    hostname: hostname(),
  };
}
