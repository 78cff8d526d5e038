/** What user mode may do and what it may not, as Linux shows it: every row was tried on a processor (family 6, model 207, Linux 6). */
import { expect, test } from 'vitest';
import type { Model } from '../../../src/emulator/guest-arch.js';
import { ACCESS } from '../../../src/emulator/stop.js';
import { x86 } from '../../../src/emulator/x86/arch.js';
import { CODE, DATA, runCode, STACK_POINTER } from './run-code.js';

const bytes = (digits: string): number[] => [...Buffer.from(digits, 'hex')];

function little(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

test.each([
  ['cli', 'fa'],
  ['sti', 'fb'],
  ['in', 'e460'],
  ['out', 'ee'],
  ['insb', '6c'],
  ['rep insb, count 0', 'f36c'],
  ['outsd', '6f'],
  ['rdmsr', '0f32'],
  ['wrmsr', '0f30'],
  ['rdpmc', '0f33'],
  ['invd', '0f08'],
  ['wbinvd', '0f09'],
  ['invlpg', '0f013c2500000000'],
  ['lgdt', '0f011424'],
  ['lidt', '0f011c24'],
  ['lldt', '0f00d0'],
  ['ltr', '0f00d8'],
  ['lmsw', '0f01f0'],
  ['clts', '0f06'],
  ['swapgs', '0f01f8'],
  ['sysret', '0f07'],
  ['mov %cr0,%rax', '0f20c0'],
  ['mov %rax,%cr3', '0f22d8'],
  ['mov %db0,%rax', '0f21c0'],
])('%s is a protection fault', (_, code) => {
  const after = runCode({ code: [...bytes(code), 0x90] });
  expect(after.exit).toEqual({
    kind: 'fault',
    fault: { signal: 11, code: 128, address: 0, trapNumber: 13, errorCode: 0 },
  });
  expect(after.register('rip')).toBe(BigInt(CODE));
});

test.each([
  ['ud0', '0fffc0'],
  ['ud1', '0fb9c0'],
  ['ud2', '0f0b'],
  ['pusha', '60'],
  ['into', 'ce'],
  ['aaa', '37'],
  ['push %es', '06'],
  ['monitor', '0f01c8'],
  ['mwait', '0f01c9'],
  ['clac', '0f01ca'],
  ['rsm', '0faa'],
  ['sysenter', '0f34'],
  ['mov %ax,%cs', '8ec8'],
  ['mov %ax, the seventh segment', '8ef0'],
  ['lock add %eax,%ecx', 'f001c1'],
  ['lock mov', 'f08903'],
  ['lock nop', 'f090'],
  ['lock cmp', 'f03903'],
  ['rdrand', '0fc7f0'],
  ['rdseed', '0fc7f8'],
  ['xbegin', 'c7f800000000'],
  ['xtest', '0f01d6'],
  ['rdpkru', '0f01ee'],
])('%s is undefined', (_, code) => {
  const after = runCode({ code: [...bytes(code), 0x90], registers: { rbx: BigInt(DATA) } });
  expect(after.exit).toMatchObject({ kind: 'fault', fault: { signal: 4, code: 2, address: CODE, trapNumber: 6 } });
});

test.each([
  { name: 'vaddps', code: 'c5f858c0', base: false },
  { name: 'xgetbv', code: '0f01d0', base: false },
  { name: 'andn', code: 'c4e270f2c2', base: true },
  { name: 'addps', code: '0f58c1', base: true },
])('the base model has $name: $base, v3 has it', ({ code, base }) => {
  const has = (model: Model): boolean => {
    const lifted = x86.lift(Uint8Array.from(bytes(code)), CODE, { limit: 1, model });
    if (lifted.kind === 'truncated') throw new Error('truncated');
    return lifted.block.insns[0]?.ops.at(-1)?.row.name !== 'exit';
  };
  expect([has('base'), has('v3')]).toEqual([base, true]);
});

test('xgetbv reads XCR0 and no other register', () => {
  const after = runCode({ code: bytes('0f01d0'), registers: { rax: -1n, rdx: -1n } });
  expect([after.register('rax'), after.register('rdx')]).toEqual([7n, 0n]);
  const other = runCode({ code: bytes('0f01d0'), registers: { rcx: 5n } });
  expect(other.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: 13 } });
});

test.each([
  ['int3', 'cc', { kind: 'breakpoint' }, CODE],
  ['int $3', 'cd03', { kind: 'fault', fault: { signal: 5, code: 128, trapNumber: 3 } }, CODE + 2],
  ['int $4', 'cd04', { kind: 'fault', fault: { signal: 11, code: 128, trapNumber: 4 } }, CODE + 2],
  ['int1', 'f1', { kind: 'fault', fault: { signal: 5, code: 1, trapNumber: 1 } }, CODE + 1],
])('%s is a trap', (_, code, exit, ip) => {
  const after = runCode({ code: bytes(code) });
  expect(after.exit).toMatchObject(exit);
  expect(after.register('rip')).toBe(BigInt(ip));
});

test.each([
  ['int $0', 'cd00', 2],
  ['int $0x80', 'cd80', 0x402],
  ['int $255', 'cdff', 0x7fa],
])('%s is a protection fault that names the gate', (_, code, errorCode) => {
  const after = runCode({ code: [...bytes(code), 0x90] });
  expect(after.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, code: 128, trapNumber: 13, errorCode } });
  expect(after.register('rip')).toBe(BigInt(CODE));
});

test.each([
  ['prefetcht0 0', '0f180c2500000000'],
  ['prefetchw 0', '0f0d0c2500000000'],
  ['nopl 0', '0f1f042500000000'],
  ['reserved nop', '0f19c0'],
  ['endbr64', 'f30f1efa'],
  ['rdsspq without shadow stacks', 'f3480f1ec8'],
  ['pause', 'f390'],
  ['lfence mfence sfence', '0faee80faef00faef8'],
  ['cldemote', '0f1c042500000000'],
])('%s does nothing', (_, code) => {
  const registers = { rax: 0x1234n, eflags: 0x8d7n };
  const before = runCode({ code: [], registers }).registers();
  const after = runCode({ code: bytes(code), registers });
  expect(after.exit).toEqual({ kind: 'end' });
  expect({ ...after.registers(), rip: 0n }).toEqual({ ...before, rip: 0n });
});

test.each(['0fae3c2500000000', '660fae3c2500000000'])('clflush of an address without a page faults: %s', (code) => {
  expect(runCode({ code: bytes(code) }).exit).toMatchObject({
    kind: 'fault',
    fault: { signal: 11, code: 1, address: 0 },
  });
});

test.each([
  ['sgdt', '0f0103', little(0xffff_ffff_fffe_0000_0000n, 10)],
  ['sidt', '0f010b', little(0xffff_ffff_ffff_0000_0000n, 10)],
  ['smsw', '0f0123', little(0x33n, 2)],
  ['sldt', '0f0003', little(0n, 2)],
  ['str', '0f000b', little(0x40n, 2)],
])('%s answers what Linux makes up for it', (_, code, expected) => {
  const after = runCode({
    code: bytes(code),
    registers: { rbx: BigInt(DATA) },
    memory: [{ address: DATA, bytes: new Uint8Array(16).fill(0xcc) }],
  });
  expect(after.exit).toEqual({ kind: 'end' });
  expect([...after.memory(DATA, 10)]).toEqual([...expected, ...new Array(10 - expected.length).fill(0xcc)]);
});

const SEGMENT_ROWS = [
  { selector: 0n, loads: true, rights: undefined, limit: undefined, writable: false, readable: false },
  { selector: 3n, loads: true, rights: undefined, limit: undefined, writable: false, readable: false },
  { selector: 0x10n, loads: false, rights: undefined, limit: undefined, writable: false, readable: false },
  { selector: 0x20n, loads: true, rights: 0xcf_fb00n, limit: 0xffff_ffffn, writable: false, readable: true },
  { selector: 0x2bn, loads: true, rights: 0xcf_f300n, limit: 0xffff_ffffn, writable: true, readable: true },
  { selector: 0x33n, loads: true, rights: 0xaf_fb00n, limit: 0xffff_ffffn, writable: false, readable: true },
  { selector: 0x40n, loads: false, rights: undefined, limit: undefined, writable: false, readable: false },
  { selector: 0x7bn, loads: true, rights: 0x40_f500n, limit: 0n, writable: false, readable: true },
  { selector: 0x2fn, loads: false, rights: undefined, limit: undefined, writable: false, readable: false },
];

test.each(SEGMENT_ROWS)('selector $selector', ({ selector, loads, rights, limit, writable, readable }) => {
  const registers = { rax: selector, rcx: 0x1111n, eflags: 2n };
  const run = (code: string) => runCode({ code: bytes(code), registers });
  const zero = (code: string): boolean => (run(code).register('eflags') & 0x40n) !== 0n;
  expect(run('0f02c8').register('rcx'), 'lar').toBe(rights ?? 0x1111n);
  expect(zero('0f02c8')).toBe(rights !== undefined);
  expect(run('0f03c8').register('rcx'), 'lsl').toBe(limit ?? 0x1111n);
  expect(zero('0f00e0'), 'verr').toBe(readable);
  expect(zero('0f00e8'), 'verw').toBe(writable);

  const load = run('8ec0'); // mov %eax,%es
  if (loads) expect([load.exit, load.register('es')]).toEqual([{ kind: 'end' }, selector]);
  else expect(load.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: 13 } });
});

test.each([
  ['0x2b', 0x2bn, true],
  ['0x28: its privilege level', 0x28n, false],
  ['null', 0n, false],
  ['code', 0x33n, false],
])('ss takes a writable segment only: %s', (_, selector, legal) => {
  const after = runCode({ code: bytes('8ed0'), registers: { rax: selector } });
  expect(after.exit.kind).toBe(legal ? 'end' : 'fault');
});

test('a load of fs or gs clears its base; a move from a segment register zero-extends', () => {
  const after = runCode({
    code: bytes('8ee08ee88ce18cd2'), // mov %eax,%fs; mov %eax,%gs; mov %fs,%ecx; mov %ss,%edx
    registers: { rax: 0x2bn, rcx: -1n, rdx: -1n, fs_base: 5n, gs_base: 6n, ss: 0x2bn },
  });
  expect([after.register('fs_base'), after.register('gs_base')]).toEqual([0n, 0n]);
  expect([after.register('rcx'), after.register('rdx')]).toEqual([0x2bn, 0x2bn]);
});

test('the bases are written and read, canonical ones only', () => {
  const after = runCode({
    code: bytes('f3480faed0f3480faec1'), // wrfsbase %rax; rdfsbase %rcx
    registers: { rax: 0x7fff_0000_1234n },
  });
  expect(after.register('rcx')).toBe(0x7fff_0000_1234n);
  const wild = runCode({ code: bytes('f3480faed0'), registers: { rax: 1n << 47n } });
  expect(wild.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: 13 } });
});

test.each([
  { name: 'popfq', code: '9d', size: 8, expected: 0x24_4ed7n },
  { name: 'popf', code: '669d', size: 2, expected: 0x20_4ed7n },
])('$name changes what user mode may', ({ code, size, expected }) => {
  // All ones but TF: IF stays 1, IOPL, RF, VM, VIF and VIP stay 0.
  const after = runCode({
    code: bytes(code),
    registers: { eflags: 0x20_0202n },
    memory: [{ address: STACK_POINTER, bytes: little(0xffff_ffff_ffff_feffn, 8) }],
  });
  expect(after.exit).toEqual({ kind: 'end' });
  expect(after.register('eflags')).toBe(expected);
  expect(after.register('rsp')).toBe(BigInt(STACK_POINTER + size));
});

test('pushfq stores DF and the rest beside the arithmetic flags', () => {
  const after = runCode({ code: bytes('9c58'), registers: { eflags: 0x20_0ed7n } });
  expect(after.register('rax')).toBe(0x20_0ed7n);
});

test.each([
  { name: 'loop', code: 'e2fe', rcx: 5n, flags: 2n, retired: 5, left: 0n },
  { name: 'loope, ZF clear', code: 'e1fe', rcx: 5n, flags: 2n, retired: 1, left: 4n },
  { name: 'loopne, ZF clear', code: 'e0fe', rcx: 5n, flags: 2n, retired: 5, left: 0n },
  { name: 'loop with ecx', code: '67e2fd', rcx: 0x1_0000_0003n, flags: 2n, retired: 3, left: 0n },
])('$name', ({ code, rcx, flags, retired, left }) => {
  const after = runCode({ code: bytes(code), registers: { rcx, eflags: flags } });
  expect([after.exit.kind, after.retired, after.register('rcx')]).toEqual(['end', retired, left]);
});

test('a far return stays in 64-bit code and goes nowhere else', () => {
  const target = CODE + 3;
  const stack = (selector: bigint) => [
    { address: STACK_POINTER, bytes: [...little(BigInt(target), 8), ...little(selector, 8)] },
  ];
  const after = runCode({ code: bytes('48cb90'), memory: stack(0x33n) });
  expect([after.exit.kind, after.register('rsp')]).toEqual(['end', BigInt(STACK_POINTER + 16)]);
  const other = runCode({ code: bytes('48cb90'), memory: stack(0x10n) });
  expect(other.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: 13 } });
  expect(other.register('rsp')).toBe(BigInt(STACK_POINTER));
});

test('iretq takes rip, flags and rsp', () => {
  const frame = [BigInt(CODE + 3), 0x33n, 0x8d7n, BigInt(DATA + 64), 0x2bn];
  const after = runCode({
    code: bytes('48cf90'),
    memory: [{ address: STACK_POINTER, bytes: frame.flatMap((value) => little(value, 8)) }],
  });
  expect([after.exit.kind, after.register('rsp')]).toEqual(['end', BigInt(DATA + 64)]);
  expect(after.register('eflags')).toBe(0xad7n);
});

test('far calls push cs and the return address, 4 bytes each, as AMD has them with any prefix', () => {
  const target = 0x7000_0000;
  const after = runCode({
    code: bytes('48ff1b'), // rex.W lcall *(%rbx)
    registers: { rbx: BigInt(DATA) },
    memory: [
      { address: DATA, bytes: [...little(BigInt(target), 4), 0x33, 0] },
      { address: target, bytes: [0xf4], access: ACCESS.READ | ACCESS.FETCH },
    ],
  });
  expect([after.register('rip'), after.retired]).toEqual([BigInt(target), 1]);
  expect([...after.memory(STACK_POINTER - 8, 8)]).toEqual([...little(BigInt(CODE + 3), 4), ...little(0x33n, 4)]);
});

test('enter with nesting copies frame pointers; leave undoes it', () => {
  const frames = [0x1111n, 0x2222n].flatMap((value) => little(value, 8));
  const after = runCode({
    code: bytes('c8200003'), // enter $0x20,$3
    registers: { rbp: BigInt(DATA + 0x40) },
    memory: [{ address: DATA + 0x30, bytes: frames }],
  });
  const frame = BigInt(STACK_POINTER - 8);
  expect([after.register('rbp'), after.register('rsp')]).toEqual([frame, frame - 0x18n - 0x20n]);
  const stored = [frame, 0x1111n, 0x2222n, BigInt(DATA + 0x40)].flatMap((value) => little(value, 8));
  expect([...after.memory(STACK_POINTER - 32, 32)]).toEqual(stored);
});

test('what enter has pushed before it faults stays, below rsp', () => {
  const after = runCode({
    code: bytes('c8ff7f00'), // enter $0x7fff,$0: the frame pointer fits, its end does not
    registers: { rbp: 0x1234n },
  });
  expect(after.exit).toMatchObject({ kind: 'fault' });
  expect([after.register('rbp'), after.register('rsp')]).toEqual([0x1234n, BigInt(STACK_POINTER)]);
  expect([...after.memory(STACK_POINTER - 8, 8)]).toEqual(little(0x1234n, 8));
});

test.each([
  { name: 'equal', rax: 0n, rdx: 0n, memory: [7n, 8n], registers: [0n, 0n], zero: true },
  { name: 'different', rax: 1n, rdx: 0n, memory: [0n, 0n], registers: [0n, 0n], zero: false },
])('cmpxchg16b: $name', ({ rax, rdx, memory, registers, zero }) => {
  const after = runCode({
    code: bytes('f0480fc70e'),
    registers: { rsi: BigInt(DATA), rax, rdx, rbx: 7n, rcx: 8n, eflags: 0x897n },
  });
  expect([...after.memory(DATA, 16)]).toEqual(memory.flatMap((value) => little(value, 8)));
  expect([after.register('rax'), after.register('rdx')]).toEqual(registers);
  expect(after.register('eflags')).toBe(zero ? 0x8d7n : 0x897n);
});

test('cmpxchg16b must be aligned', () => {
  const after = runCode({ code: bytes('480fc70e'), registers: { rsi: BigInt(DATA + 8) } });
  expect(after.exit).toMatchObject({ kind: 'fault', fault: { signal: 11, trapNumber: 13 } });
});

test('bit strings reach before and behind their address', () => {
  const run = (offset: bigint) =>
    runCode({ code: bytes('480fab03'), registers: { rbx: BigInt(DATA + 64), rax: offset } }); // bts %rax,(%rbx)
  expect(run(-1n).memory(DATA + 63, 1)[0]).toBe(0x80);
  expect(run(130n).memory(DATA + 80, 1)[0]).toBe(4);
});

test('a read-modify-write of a page that cannot be written faults as a write and changes nothing', () => {
  const readOnly = DATA + 0x10_0000;
  for (const code of ['480103', '48ff03', '48d323', '480fc103', '480fb10b', '480fbb03', '480f9203']) {
    const after = runCode({
      code: bytes(code),
      registers: { rbx: BigInt(readOnly), rax: 3n, rcx: 1n, eflags: 0x8d7n },
      memory: [{ address: readOnly, bytes: [1, 2, 3, 4, 5, 6, 7, 8], access: ACCESS.READ }],
    });
    expect(after.exit, code).toMatchObject({ kind: 'fault', fault: { signal: 11, address: readOnly, errorCode: 7 } });
    expect([after.register('rax'), after.register('eflags')]).toEqual([3n, 0x8d7n]);
  }
});

test('the last bytes of the address space do not reach its first page', () => {
  const after = runCode({ code: bytes('488b02'), registers: { rdx: -4n } });
  expect(after.exit).toMatchObject({ kind: 'fault', fault: { signal: 11 } });
});

const LOWEST = 1n << 63n;

test.each([
  { name: 'the lowest number by -1', code: '48f7f9', rax: LOWEST, rdx: -1n, rcx: -1n },
  { name: 'the lowest 32-bit number by -1', code: 'f7f9', rax: 0x8000_0000n, rdx: 0xffff_ffffn, rcx: 0xffff_ffffn },
  { name: 'the lowest 64-bit dividend by -1', code: 'f7f9', rax: 0n, rdx: 0x8000_0000n, rcx: 0xffff_ffffn },
  { name: 'by 0', code: '48f7f9', rax: 1n, rdx: 0n, rcx: 0n },
  { name: 'by 0, unsigned', code: '48f7f1', rax: 1n, rdx: 0n, rcx: 0n },
  { name: 'a quotient of 2^63', code: '48f7f9', rax: 0n, rdx: 1n, rcx: 2n },
  { name: 'a quotient of 2^64', code: '48f7f1', rax: 0n, rdx: 1n, rcx: 1n },
  { name: 'the lowest 128-bit dividend by 1', code: '48f7f9', rax: 0n, rdx: LOWEST, rcx: 1n },
])('division overflows: $name', ({ code, rax, rdx, rcx }) => {
  for (const tier of ['interp', 'compile'] as const) {
    const after = runCode({ code: bytes(code), registers: { rax, rdx, rcx, eflags: 0x8d7n }, tier });
    expect(after.exit).toMatchObject({ kind: 'fault', fault: { signal: 8, code: 1, address: CODE, trapNumber: 0 } });
    expect(after.register('rax')).toBe(rax);
    expect(after.register('eflags')).toBe(0x8d7n);
  }
});

test.each([
  { name: 'to the lowest number', rax: LOWEST, rdx: -1n, rcx: 1n, quotient: LOWEST, remainder: 0n },
  {
    name: 'of 128 bits, both negative',
    rax: 5n,
    rdx: -3n,
    rcx: -7n,
    quotient: 7_905_747_460_161_236_406n,
    remainder: -1n,
  },
  { name: 'of 128 bits', rax: -1n, rdx: 0x1234n, rcx: 0x7fff_ffff_ffff_ffffn, quotient: 0x246an, remainder: 0x2469n },
])('signed division $name', ({ rax, rdx, rcx, quotient, remainder }) => {
  const after = runCode({ code: bytes('48f7f9'), registers: { rax, rdx, rcx } });
  const dividend = (rdx << 64n) | BigInt.asUintN(64, rax);
  expect([dividend / BigInt.asIntN(64, rcx), dividend % BigInt.asIntN(64, rcx)]).toEqual([
    BigInt.asIntN(64, quotient),
    remainder,
  ]);
  expect(after.register('rax')).toBe(BigInt.asUintN(64, quotient));
  expect(after.register('rdx')).toBe(BigInt.asUintN(64, remainder));
});
