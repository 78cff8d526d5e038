import { expect, test } from 'vitest';
import { GPR, REGISTERS, registerNamed, registerSet, SLOT } from '../../src/register-set.js';
import { sys, work } from '../emulator/kernel/scripted.js';
import { debug } from './debugger.js';

function stopped() {
  const debugged = debug(function* () {
    yield work(10);
    yield sys(231, 0);
  });
  const { inferior, main } = debugged;
  return {
    ...debugged,
    read(name: string): Buffer {
      const row = registerNamed(name);
      const bytes = Buffer.alloc(row.bits / 8);
      expect(inferior.readRegister(main, row, bytes)).toBe(true);
      return bytes;
    },
    write(name: string, bytes: Uint8Array): boolean {
      return inferior.writeRegister(main, registerNamed(name), bytes);
    },
  };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

test('a base machine has no upper halves of vectors, one with AVX has', () => {
  const { inferior } = stopped();
  expect(inferior.registers()).toEqual(registerSet(false));
  expect(registerSet(true)).toEqual(REGISTERS);
});

test('all of them at once are what each of them is, whatever has changed since the last time', () => {
  const { inferior, main, write } = stopped();
  const one = (): Buffer => Buffer.from(inferior.readRegisters(main) ?? []);
  const each = (): Buffer =>
    Buffer.concat(
      inferior.registers().map((row) => {
        const bytes = Buffer.alloc(row.bits / 8);
        inferior.readRegister(main, row, bytes);
        return bytes;
      }),
    );
  expect(one()).toEqual(each());
  const changes: [string, Buffer][] = [
    ['eflags', u32(0x8d5)],
    ['rdi', u64(0x1122_3344_5566_7788n)],
    ['xmm3', Buffer.from('00112233445566778899aabbccddeeff', 'hex')],
    ['fstat', u32(5 << 11)],
    ['ftag', u32(0xfff3)],
    ['st0', Buffer.from('0102030405060788ff3f', 'hex')],
    ['st7', Buffer.from('0102030405060788ff3f', 'hex')],
    ['fctrl', u32(0x27f)],
    ['fioff', u32(0x1234)],
    ['foseg', u32(0x7fff)],
    ['fop', u32(0x1d9)],
    ['mxcsr', u32(0x1fa0)],
  ];
  for (const [name, bytes] of changes) {
    const before = one();
    expect(write(name, bytes), name).toBe(true);
    expect(one(), name).toEqual(each());
    expect(one(), name).not.toEqual(before);
  }
});

test('every register can be written back as it was read, and is the same afterwards', () => {
  const { inferior, main } = stopped();
  const before = inferior.registers().map((row) => {
    const bytes = Buffer.alloc(row.bits / 8);
    inferior.readRegister(main, row, bytes);
    return bytes;
  });
  inferior.registers().forEach((row, i) => {
    expect(inferior.writeRegister(main, row, before[i] as Buffer), row.name).toBe(true);
  });
  inferior.registers().forEach((row, i) => {
    const bytes = Buffer.alloc(row.bits / 8);
    inferior.readRegister(main, row, bytes);
    expect(bytes, row.name).toEqual(before[i]);
  });
});

test.each([
  { name: 'rax', value: 0xffff_ffff_ffff_ffffn },
  { name: 'rip', value: 0x8000_0000_0000_0000n },
  { name: 'orig_rax', value: 0xffff_ffff_ffff_ffffn },
  { name: 'fs_base', value: 0x7fff_f7d8_a740n },
])('$name takes all 64 bits', ({ name, value }) => {
  const { read, write } = stopped();
  expect(write(name, u64(value))).toBe(true);
  expect(read(name).readBigUInt64LE()).toBe(value);
});

test.each([
  { name: 'a segment base of the kernel', register: 'fs_base', bytes: u64(0xffff_8000_0000_0000n) },
  { name: 'reserved bits of mxcsr', register: 'mxcsr', bytes: u32(0x1_1f80) },
])('$name is refused', ({ register, bytes }) => {
  const { read, write } = stopped();
  const before = read(register);
  expect(write(register, bytes)).toBe(false);
  expect(read(register)).toEqual(before);
});

test('a selector stays what it is', () => {
  const { read, write } = stopped();
  expect(write('cs', u32(0))).toBe(true);
  expect(read('cs').readUInt32LE()).toBe(0x33);
});

test('only the flags that ptrace gives away change', () => {
  const { read, write } = stopped();
  write('eflags', u32(0xffff_ffff));
  expect(read('eflags').readUInt32LE()).toBe(0x5_4fd7);
  write('eflags', u32(0));
  expect(read('eflags').readUInt32LE()).toBe(0x202);
});

/** 1.0, as an 80-bit number. */
const ONE = Buffer.from('0000000000000080ff3f', 'hex');

test('the x87 stack is counted from its top, and its tag word says what is in it', () => {
  const { read, write, guest } = stopped();
  const { cpu } = guest.thread;
  cpu.setInt(SLOT.FTOP, 6);
  cpu.setInt(SLOT.FTAG, 0b1100_0000);
  expect(write('st0', ONE)).toBe(true);
  expect(Buffer.from(cpu.bytes(SLOT.X87 + 16 * 6, 10))).toEqual(ONE);
  expect(read('fstat').readUInt32LE() >> 11).toBe(6);
  // R6 is valid, R7 zero, the others empty.
  expect(read('ftag').readUInt32LE()).toBe(0b01_00_11_11_11_11_11_11);
  write('ftag', u32(0xffff));
  expect(cpu.int(SLOT.FTAG)).toBe(0);
  write('fctrl', u32(0x27f));
  expect(cpu.int(SLOT.FCW)).toBe(0x27f);
});

test('agent expressions see registers by their number', () => {
  const { guest, inferior, main } = stopped();
  guest.thread.cpu.setBig(8 * GPR.RBP, 0x1234n);
  const bytes = Buffer.alloc(8);
  inferior.readRegister(main, registerNamed('rbp'), bytes);
  expect([registerNamed('rbp').number, bytes.readBigUInt64LE()]).toEqual([6, 0x1234n]);
});
