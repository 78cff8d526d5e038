#!/usr/bin/env node
/**
 * The command as it is installed: runs the joined program (cli.ts and all that it needs, scripts/bundle.mjs) with the code that V8 made of it the last
 * time. Compiling and first running those two megabytes costs 0.15 s of CPU at each start; with the functions that a start uses it costs a tenth.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { UserCache } from './emulator/host/user-cache.js';
import { optimisesScriptsLate } from './wasm-engine.js';

/** Set by scripts/bundle.mjs: a hash of the program. */
declare const PROGRAM_HASH: string;
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname', 'SIDESTEP_URL', 'SIDESTEP_BUILD'];

optimisesScriptsLate();
const url = new URL('program.cjs', import.meta.url);
const filename = fileURLToPath(url);
// The bundler writes ASCII only.
const source = `(function (${PARAMETERS.join(', ')}) {${readFileSync(filename, 'latin1')}\n})`;
const cache = UserCache.open();
// `run`, `probe` and the server use different functions.
const mode = ['run', 'probe'].find((word) => word === process.argv[2]) ?? 'serve';
const name = `code-${PROGRAM_HASH}-${process.versions.v8}-${mode}`;
const cachedData = cache?.read(name);
const script = new Script(source, cachedData === undefined ? { filename } : { filename, cachedData });
if (cache !== undefined && (cachedData === undefined || script.cachedDataRejected)) {
  process.once('exit', () => cache.write(name, [script.createCachedData()]));
}
const module = { exports: {} };
const folder = dirname(filename);
script.runInThisContext()(module.exports, createRequire(url), module, filename, folder, url.href, PROGRAM_HASH);
