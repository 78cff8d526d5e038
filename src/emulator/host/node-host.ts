/** The gateway to the machine that the server runs on. */
import { EventQueue } from './event-queue.js';
import type { Host, HostCache, HostEvent, HostInputs } from './host.js';
import { hostInputs } from './inputs.js';
import { NodeFiles } from './node-files.js';
import { NodeSockets } from './node-sockets.js';
import { NodeStreams } from './node-streams.js';
import { HostPlace } from './place.js';
import { UserCache } from './user-cache.js';

export interface NodeHostOptions {
  /** The guest's root directory on the host; undefined: the host's own. */
  readonly root?: string | undefined;
  /** Nothing on the host is changed: EROFS. */
  readonly readOnly?: boolean;
  /** No sockets to the outside. */
  readonly noNetwork?: boolean;
  /** Descriptors of the server that the guest inherits as 0, 1 and 2. */
  readonly descriptors?: readonly [number, number, number];
  /** What was built from these sources: files of the cache are for it alone. Left out: no cache. */
  readonly build?: string | undefined;
}

export class NodeHost implements Host {
  readonly inputs: HostInputs;
  readonly files: NodeFiles;
  readonly streams: NodeStreams;
  readonly sockets: NodeSockets | undefined;
  readonly cache: HostCache | undefined;
  private readonly events = new EventQueue();

  /** Throws Node's error when the root does not exist. */
  constructor({ root, readOnly = false, noNetwork = false, descriptors = [0, 1, 2], build }: NodeHostOptions = {}) {
    this.inputs = hostInputs(root === undefined ? undefined : '/');
    this.files = new NodeFiles(new HostPlace(root), readOnly);
    this.streams = new NodeStreams(this.events, readOnly, descriptors);
    this.sockets = noNetwork ? undefined : new NodeSockets(this.events, this.files);
    this.cache = build === undefined ? undefined : cacheOf(build);
  }

  wait(atMost: number | undefined): Promise<void> {
    return this.events.wait(atMost);
  }

  async flush(): Promise<void> {
    await this.sockets?.flush();
  }

  interruptWait(): void {
    this.events.interrupt();
  }

  drain(): readonly HostEvent[] {
    return this.events.drain();
  }
}

function cacheOf(build: string): HostCache | undefined {
  const files = UserCache.open();
  if (files === undefined) return undefined;
  return {
    read: (name) => files.read(`${build}-${name}`),
    write: (name, parts) => files.write(`${build}-${name}`, parts),
    atEnd: (save) => process.once('exit', save),
  };
}
