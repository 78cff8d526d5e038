/** What programs are started with. */
import { expect, test } from 'vitest';
import { ProgramLauncher, type StartRequest } from '../../src/inferior/launcher.js';
import { scripted, sys } from '../emulator/kernel/scripted.js';

function launched(withShell: boolean, environment: readonly (readonly [string, string])[]): StartRequest | undefined {
  const guest = scripted(function* () {
    yield sys(60, 0);
  });
  let seen: StartRequest | undefined;
  const starter = {
    start: (request: StartRequest) => {
      seen = request;
      return guest.process;
    },
    fileIn: () => undefined,
    nameOf: (directory: string | undefined, claimed: string | undefined) =>
      claimed === '/link' ? claimed : (directory ?? '/cwd'),
  };
  const settings = { environment: new Map(environment), wrapper: [], withShell, randomise: false };
  new ProgramLauncher(guest.machine, starter, settings).launch('/bin/program', ['one']);
  return seen;
}

test('the program is told its directory by PWD, as by the shell that gdbserver starts it with', () => {
  expect(launched(true, [['A', '1']])?.environment).toEqual(['A=1', 'PWD=/cwd']);
  expect(
    launched(true, [
      ['PWD', '/link'],
      ['A', '1'],
    ])?.environment,
  ).toEqual(['PWD=/link', 'A=1']);
  expect(launched(true, [['PWD', '/elsewhere']])?.environment).toEqual(['PWD=/cwd']);
  expect(launched(false, [['PWD', '/elsewhere']])?.environment).toEqual(['PWD=/elsewhere']);
});
