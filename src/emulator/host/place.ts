/** Where a guest path lies on the host, and that it lies nowhere else (`--root`). */
import { realpathSync } from 'node:fs';
import { EACCES, ELOOP } from '../kernel/errno.js';
import { attempt } from './node-errors.js';
import { isPlainText, pathBytes, pathText } from './path-text.js';

/** As Node's calls take it: text wherever the name is any. */
export type HostPath = string | Buffer;

function hostPath(text: string): HostPath {
  return isPlainText(text) ? text : Buffer.from(pathBytes(text));
}

export class HostPlace {
  private readonly root: string;

  /** `root`: the guest's root directory on the host, undefined for the host's own. It must exist. */
  constructor(root: string | undefined) {
    this.root = root === undefined ? '' : pathText(realpathSync.native(root, 'buffer')).replace(/\/$/, '');
  }

  /** The host's path of an absolute guest path; -errno when it leads out of the root. */
  locate(path: string): HostPath | number {
    if (!path.startsWith('/')) throw new Error(`not an absolute path: ${path}`);
    const full = hostPath(this.root + path);
    return this.root === '' ? full : this.confine(path, full);
  }

  /**
   * The kernel side has resolved all links, inside the root: a path that resolves otherwise here was changed meanwhile, or is an attempt. The last part
   * is not followed by what is done with the path.
   */
  private confine(path: string, full: HostPath): HostPath | number {
    if (path.split('/').includes('..')) return -EACCES;
    if (path === '/') return full;
    const parent = path.slice(0, path.replace(/\/+$/, '').lastIndexOf('/'));
    const expected = this.root + parent;
    const real = attempt(() => realpathSync.native(hostPath(expected === '' ? '/' : expected), 'buffer'));
    if (typeof real === 'number') return real;
    return pathText(real) === expected ? full : -ELOOP;
  }
}
