// Builds dist. The command is one file, program.cjs, started by cli.js, which gives V8 its code cache (src/start.ts); what programs import is ES modules
// with shared chunks. Loading 400 small modules took a fifth of a second at every start.
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { build } from 'esbuild';

const COMMON = { bundle: true, platform: 'node', target: 'node20' };
const require = createRequire(import.meta.url);

/** Packages that the sources load by `require` become part of the file. */
const joinRequired = {
  name: 'join-required',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\][^/\\]+\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('createRequire(import.meta.url)(', 'require('),
      loader: 'ts',
    }));
  },
};

const program = await build({
  ...COMMON,
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/program.cjs',
  format: 'cjs',
  minifyWhitespace: true,
  define: { 'import.meta.url': 'SIDESTEP_URL' },
  plugins: [joinRequired],
  metafile: true,
});
// iced-x86 reads it from the folder of its code.
copyFileSync(require.resolve('iced-x86/iced_x86_bg.wasm'), 'dist/iced_x86_bg.wasm');
const hash = createHash('sha256').update(readFileSync('dist/program.cjs')).digest('hex').slice(0, 16);
const unexpected = Object.values(program.metafile.outputs)[0].imports.filter(({ path }) => !isBuiltin(path));
if (unexpected.length > 0) throw new Error(`left outside: ${unexpected.map(({ path }) => path)}`);

await build({
  ...COMMON,
  entryPoints: { cli: 'src/start.ts' },
  outdir: 'dist',
  format: 'esm',
  define: { PROGRAM_HASH: JSON.stringify(hash) },
});
await build({
  ...COMMON,
  entryPoints: ['src/index.ts', 'src/uprobes-api.ts'],
  splitting: true,
  packages: 'external',
  format: 'esm',
  outdir: 'dist',
});
chmodSync('dist/cli.js', 0o755);
