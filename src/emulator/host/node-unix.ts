/**
 * UNIX sockets by node:net, at paths of the host. Node removes what it has bound when it closes it, and binds only free names of limited length; so the
 * socket is made under a name of its own and then moved to where it belongs, where nobody removes it but who means to, as in Linux.
 */
import * as fs from 'node:fs';
import type { Server, Socket } from 'node:net';
import { EADDRNOTAVAIL } from '../kernel/errno.js';
import { perform } from './node-errors.js';
import { NetConnection, NetListener } from './node-net.js';
import type { HostPath } from './place.js';
import { withUmask } from './umask.js';

/** What all hosts have room for in struct sockaddr_un. */
const LONGEST_PATH = 100;
const SLASH = 0x2f;
const PERMISSIONS = 0o7777;
const NOBODY = 0o777;

/** Names of this server's sockets before they are moved. */
let made = 0;

export class UnixListener extends NetListener {
  constructor(tell: () => void) {
    super(tell);
    // What goes wrong later concerns one client, who sees it; `replace` answers what goes wrong at first.
    this.server.on('error', () => undefined);
    // The program's end is not kept waiting.
    this.server.unref();
  }

  /** Listens where a file is, which the socket takes the place of, with its owner and mode: 0 or -errno. */
  replace(path: HostPath, file: fs.BigIntStats): number {
    const bytes = Buffer.from(path);
    const directory = bytes.subarray(0, bytes.lastIndexOf(SLASH) + 1);
    const name = `.sidestep-${process.pid}-${made++}`;
    const temporary = Buffer.concat([directory, Buffer.from(name)]);
    const isShort = typeof path === 'string' && temporary.length <= LONGEST_PATH;
    const listening = isShort ? listen(this.server, `${temporary}`) : listenIn(this.server, directory, name);
    if (!listening) return -EADDRNOTAVAIL;
    const moved = perform(() => {
      const { uid, gid } = fs.lstatSync(temporary, { bigint: true });
      if (uid !== file.uid || gid !== file.gid) fs.lchownSync(temporary, Number(file.uid), Number(file.gid));
      fs.chmodSync(temporary, Number(file.mode) & PERMISSIONS);
      fs.renameSync(temporary, path);
    });
    if (moved < 0) perform(() => fs.unlinkSync(temporary));
    return moved;
  }
}

/** A directory whose path is too long, or no text, goes by its descriptor. */
function listenIn(server: Server, directory: Buffer, name: string): boolean {
  const descriptor = fs.openSync(directory, fs.constants.O_RDONLY);
  try {
    return listen(server, `/proc/self/fd/${descriptor}/${name}`);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** At a path Node listens at once, or not at all. Nobody may connect before the mode is set. */
function listen(server: Server, path: string): boolean {
  withUmask(NOBODY, () => server.listen({ path, exclusive: true }));
  return server.listening;
}

export class UnixConnection extends NetConnection {
  constructor(socket: Socket, tell: () => void) {
    super(socket, tell);
    this.start();
  }
}
