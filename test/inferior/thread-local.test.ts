import { describe, expect, test } from 'vitest';
import { registerNamed } from '../../src/register-set.js';
import { sys, work } from '../emulator/kernel/scripted.js';
import { debug } from './debugger.js';

const PT_TLS = 7;
/** Where things lie in the scripted memory. */
const TCB = 0x1_1000;
const DTV = 0x1_2000;
const MAP = 0x1_3000;
const OBJECT = 0x1_4000;
const BLOCK = 0x1_8000;
/** The sequence that leads to `l_tls_modid` begins at no fixed offset of struct link_map. */
const SEQUENCE = 0x3d8;

function program({ blocks = [BLOCK] as readonly bigint[] | readonly number[], module = 1, offset = SEQUENCE } = {}) {
  const debugged = debug(function* () {
    yield work(10);
    yield sys(231, 0);
  });
  const { inferior, main, guest } = debugged;
  const { words } = guest;
  words(TCB, TCB, DTV + 16);
  words(DTV, blocks.length, 0, 0, 0);
  blocks.forEach((block, i) => {
    words(DTV + 16 * (i + 2), block, 0);
  });
  // ELF header: magic, e_phoff, e_phnum; one program header: PT_TLS with vaddr 0x500, 8 and 24 bytes, aligned to 16.
  guest.space.writeBytes(OBJECT, Buffer.from('\x7fELF', 'latin1'));
  words(OBJECT + 32, 64);
  guest.space.writeBytes(OBJECT + 56, Uint8Array.of(1, 0));
  words(OBJECT + 64, PT_TLS, 0x500, 0x500, 0x500, 8, 24, 16);
  words(MAP, OBJECT);
  words(MAP + offset, OBJECT + 0x500, 8, 24, 16, 0, 0x40, module);
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(BigInt(TCB));
  inferior.writeRegister(main, registerNamed('fs_base'), pointer);
  return (at: bigint, map = BigInt(MAP)) => inferior.threadLocal.address(main, at, map);
}

describe('a thread-local variable', () => {
  test('lies in the block that the DTV names, wherever link_map has the module', () => {
    expect(program()(8n)).toEqual({ address: BigInt(BLOCK) + 8n });
    expect(program({ blocks: [0, BLOCK], module: 2, offset: 0x410 })(0n)).toEqual({ address: BigInt(BLOCK) });
  });

  test('of a static program lies in the first block', () => {
    expect(program()(4n, 0n)).toEqual({ address: BigInt(BLOCK) + 4n });
  });

  test.each([
    { name: 'a block that the thread has not used', setup: { blocks: [0xffff_ffff_ffff_ffffn] } },
    { name: 'a module that the DTV does not reach', setup: { module: 5 } },
  ])('is nowhere in $name', ({ setup }) => {
    expect(program(setup)(0n)).toMatchObject({ errno: 2 });
  });

  test('is nowhere without a link_map that can be read', () => {
    expect(program()(0n, 0x99_0000n)).toMatchObject({ errno: 22 });
  });
});
