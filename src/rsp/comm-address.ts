/**
 * gdbserver's COMM argument: `HOST:PORT`, `:PORT`, `[V6]:PORT`, `-` or `stdio`; and our own `unix:PATH`. Texts of errors are gdbserver's,
 * because scripts look for them.
 */

export type CommAddress =
  | { readonly kind: 'stdio' }
  /** `host` as written, maybe empty; port 0 lets the system choose. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `error`: one line for stderr. */
export function parseCommAddress(text: string): CommAddress | { readonly error: string } {
  if (text === '-' || text === 'stdio') return { kind: 'stdio' };
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const colon = text.lastIndexOf(':');
  const digits = text.slice(colon + 1);
  // Without a port gdbserver would open a serial line.
  if (colon < 0 || digits === '') return { error: 'Could not open remote device: Invalid argument.' };
  const port = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(port <= 0xffff)) return { error: `${text}: cannot resolve name: Servname not supported for ai_socktype` };
  return { kind: 'tcp', host: withoutBrackets(text.slice(0, colon)), port };
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** COMM as a person would write it. */
export function formatCommAddress(address: CommAddress): string {
  switch (address.kind) {
    case 'stdio':
      return 'stdio';
    case 'unix':
      return `unix:${address.path}`;
    case 'tcp':
      return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
  }
}
