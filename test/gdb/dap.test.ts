/** An IDE's way: the Debug Adapter Protocol, through the adapter of Eclipse CDT (npm package cdt-gdb-adapter), gdb, and this server. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildGuest } from '../guests/build.js';
import { DapClient } from './dap-client.js';
import { PLAIN_ENVIRONMENT, sidestep, startServer } from './server.js';

const ADAPTER = fileURLToPath(
  new URL('../../node_modules/cdt-gdb-adapter/dist/debugTargetAdapter.js', import.meta.url),
);
const LADDER = fileURLToPath(new URL('../guests/ladder.c', import.meta.url));
const LISTENER = fileURLToPath(new URL('../guests/listener.c', import.meta.url));

interface Frame {
  readonly id: number;
  readonly name: string;
  readonly line: number;
  readonly instructionPointerReference: string;
}

const GDBS = ['gdb', 'gdb-multiarch'].map((gdb) => ({ gdb, installed: spawnSync(gdb, ['--version']).status === 0 }));
for (const { gdb, installed } of GDBS) {
  if (!installed) console.warn(`test/gdb/dap.test.ts: ${gdb} is not installed (apt-get install ${gdb}): skipped`);
}

/** The number of the first line that holds the text. */
function lineOf(file: string, text: string): number {
  return (
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  );
}

async function attach(gdb: string, program: string, port: number): Promise<DapClient> {
  const client = DapClient.start(process.execPath, [ADAPTER], PLAIN_ENVIRONMENT);
  await client.request('initialize', {
    adapterID: 'gdbtarget',
    linesStartAt1: true,
    columnsStartAt1: true,
    pathFormat: 'path',
  });
  const attached = client.request('attach', { gdb, program, target: { host: '127.0.0.1', port: `${port}` } });
  await client.event('initialized');
  return Object.assign(client, { attached });
}

async function topFrame(client: DapClient): Promise<{ threadId: number; frame: Frame; frames: readonly Frame[] }> {
  const { threads } = await client.request<{ threads: { id: number }[] }>('threads');
  const threadId = threads[0]?.id ?? 0;
  const { stackFrames } = await client.request<{ stackFrames: Frame[] }>('stackTrace', { threadId });
  const [frame] = stackFrames;
  if (frame === undefined) throw new Error('no frame');
  return { threadId, frame, frames: stackFrames };
}

describe.skipIf(!existsSync(ADAPTER))('an IDE', { timeout: 180_000 }, () => {
  let ladder: string;
  let listener: string;

  beforeAll(() => {
    ladder = buildGuest({ source: 'ladder.c', flags: ['-O0', '-fno-stack-protector'] });
    listener = buildGuest({ source: 'listener.c', flags: ['-O0'] });
  });

  test.each(GDBS.filter(({ installed }) => installed))(
    'with $gdb: breakpoints, variables, memory, steps, to the end',
    async ({ gdb }) => {
      const server = await startServer(sidestep(), [ladder]);
      const client = await attach(gdb, ladder, server.port);
      const source = { path: LADDER };
      const condition = { line: lineOf(LADDER, 'rung = rung + steps'), condition: 'steps == 2' };
      const { breakpoints } = await client.request<{ breakpoints: { verified: boolean }[] }>('setBreakpoints', {
        source,
        breakpoints: [condition],
      });
      expect(breakpoints).toEqual([expect.objectContaining({ verified: true })]);
      await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'main' }] });
      await client.request('configurationDone');

      expect((await client.event('stopped')).body.reason).toMatch(/breakpoint/);
      let top = await topFrame(client);
      expect(top.frame.name).toBe('main');

      await client.request('continue', { threadId: top.threadId });
      await client.event('stopped');
      top = await topFrame(client);
      expect(top.frames.map(({ name }) => name)).toEqual(['climb', 'climb', 'main']);
      const frameId = top.frame.id;

      const { scopes } = await client.request<{ scopes: { name: string; variablesReference: number }[] }>('scopes', {
        frameId,
      });
      const local = scopes.find(({ name }) => name === 'Local')?.variablesReference;
      const { variables } = await client.request<{ variables: { name: string; value: string }[] }>('variables', {
        variablesReference: local,
      });
      expect(variables).toEqual([expect.objectContaining({ name: 'steps', value: '2' })]);

      const evaluated = await client.request<{ result: string }>('evaluate', {
        expression: 'rung * 10',
        frameId,
        context: 'watch',
      });
      expect(evaluated.result).toBe('30');
      await client.request('evaluate', { expression: 'rung = 100', frameId, context: 'repl' });

      const memoryReference = (
        await client.request<{ result: string }>('evaluate', { expression: '&rung', frameId, context: 'watch' })
      ).result;
      const [address = ''] = /0x[0-9a-f]+/.exec(memoryReference) ?? [];
      const { data } = await client.request<{ data: string }>('readMemory', { memoryReference: address, count: 4 });
      expect(Buffer.from(data, 'base64').readInt32LE()).toBe(100);

      const place = { memoryReference: top.frame.instructionPointerReference, instructionCount: 4 };
      const { instructions } = await client.request<{ instructions: { instruction: string }[] }>('disassemble', place);
      expect(instructions.map(({ instruction }) => instruction)[0]).toMatch(/mov .*rung/);

      await client.request('next', { threadId: top.threadId });
      expect((await client.event('stopped')).body.reason).toBe('step');
      top = await topFrame(client);
      expect(top.frame.line).toBe(lineOf(LADDER, 'return climb'));
      await client.request('setBreakpoints', { source, breakpoints: [] });
      await client.request('stepOut', { threadId: top.threadId });
      await client.event('stopped');
      expect((await topFrame(client)).frames.map(({ name }) => name)).toEqual(['climb', 'main']);
      await client.request('continue', { threadId: top.threadId });
      await client.event('terminated');
      expect(server.stdout()).toBe('top 106\n');
      await client.request('disconnect').catch(() => undefined);
      client.close();
      server.kill();
    },
  );

  test('pause while it runs, breakpoints set while it runs, terminate', async () => {
    const server = await startServer(sidestep(), [listener, 'spin']);
    const client = await attach('gdb', listener, server.port);
    await client.request('configurationDone');
    server.process.stdin.write('joe\n');
    await expect.poll(() => server.stdout(), { timeout: 30_000 }).toContain('spinning');
    const { threads } = await client.request<{ threads: { id: number }[] }>('threads');
    const threadId = threads[0]?.id ?? 0;
    await client.request('pause', { threadId });
    expect((await client.event('stopped')).body.reason).toMatch(/SIGINT|pause/);
    expect((await topFrame(client)).frame.name).toBe('main');
    await client.request('continue', { threadId });
    // An IDE stops the program for it, and lets it go on.
    await client.request('setBreakpoints', {
      source: { path: LISTENER },
      breakpoints: [{ line: lineOf(LISTENER, 'turns++') }],
    });
    expect((await client.event('stopped')).body.reason).toMatch(/breakpoint/);
    await client.request('terminate');
    await client.event('terminated');
    client.close();
    server.kill();
  });
});
