/**
 * Files that make the next start faster and that nothing depends on: what is in them can be made again, so a missing, damaged or unwritable one costs
 * time only. They lie in $XDG_CACHE_HOME/sidestep (XDG Base Directory Specification; $HOME/.cache where it is not set); `SIDESTEP_CACHE` names another
 * folder, or `off`. Readers see whole files: each is written beside its place and then renamed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that the folder may hold; the files that were written longest ago go first. */
const LIMIT = 256 * 2 ** 20;

export class UserCache {
  private constructor(private readonly folder: string) {}

  /** Undefined where the user wants none, or has no place for one. */
  static open(environment: NodeJS.ProcessEnv = process.env): UserCache | undefined {
    const { SIDESTEP_CACHE: chosen, XDG_CACHE_HOME: caches, HOME: home } = environment;
    if (chosen === 'off') return undefined;
    if (chosen) return new UserCache(chosen);
    if (caches?.startsWith('/')) return new UserCache(join(caches, 'sidestep'));
    return home && existsSync(home) ? new UserCache(join(home, '.cache/sidestep')) : undefined;
  }

  /** A file's bytes. */
  read(name: string): Uint8Array<ArrayBuffer> | undefined {
    try {
      return readFileSync(join(this.folder, name));
    } catch {
      return undefined;
    }
  }

  /** Puts a file in place of any of that name. */
  write(name: string, parts: readonly Uint8Array[]): void {
    const made = join(this.folder, `${name}.${process.pid}`);
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      writeFileSync(made, Buffer.concat(parts), { mode: 0o600 });
      renameSync(made, join(this.folder, name));
      this.prune();
    } catch {
      rmSync(made, { force: true });
    }
  }

  private prune(): void {
    const files = readdirSync(this.folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => {
        const { size, mtimeMs } = statSync(join(this.folder, name));
        return { name, size, written: mtimeMs };
      })
      .sort((a, b) => b.written - a.written);
    let total = 0;
    for (const { name, size } of files) {
      total += size;
      if (total > LIMIT) rmSync(join(this.folder, name), { force: true });
    }
  }
}
