import { expect, test } from 'vitest';
import { registerNamed, registerSet } from '../../src/register-set.js';
import { targetDescription } from '../../src/rsp/target-description.js';

/** Feature by feature, name, size, type, number and group as gdbserver 13.1 sends them on x86-64 Linux with AVX. */
test('features and registers are gdbserver’s', () => {
  const xml = targetDescription(registerSet(true));
  const features = [...xml.matchAll(/<feature name="org\.gnu\.gdb\.i386\.(\w+)">(.*?)<\/feature>/gs)];
  const names = features.map(([, name, body]) => [name, body?.match(/<reg /g)?.length]);
  expect(names).toEqual([['core', 40], ['sse', 17], ['linux', 1], ['segments', 2], ['avx', 16]]); // biome-ignore format: a table
  for (const line of [
    '<reg name="rax" bitsize="64" type="int64" regnum="0"/>',
    '<reg name="rsp" bitsize="64" type="data_ptr" regnum="7"/>',
    '<reg name="rip" bitsize="64" type="code_ptr" regnum="16"/>',
    '<reg name="eflags" bitsize="32" type="i386_eflags" regnum="17"/>',
    '<reg name="st7" bitsize="80" type="i387_ext" regnum="31"/>',
    '<reg name="fctrl" bitsize="32" type="int" regnum="32" group="float"/>',
    '<reg name="xmm15" bitsize="128" type="vec128" regnum="55"/>',
    '<reg name="mxcsr" bitsize="32" type="i386_mxcsr" regnum="56" group="vector"/>',
    '<reg name="fs_base" bitsize="64" type="int" regnum="58"/>',
    '<reg name="ymm15h" bitsize="128" type="uint128" regnum="75"/>',
    '<field name="ZF" start="6" end="6" type="bool"/>',
    '<field name="v4_float" type="v4f"/>',
    '<architecture>i386:x86-64</architecture>',
    '<osabi>GNU/Linux</osabi>',
  ]) {
    expect(xml).toContain(line);
  }
});

test('a guest without AVX has no such feature', () => {
  expect(targetDescription(registerSet(false))).not.toContain('avx');
});

test('rows of one feature that are apart are refused', () => {
  const rows = ['rax', 'xmm0', 'rbx'].map(registerNamed);
  expect(() => targetDescription(rows)).toThrow('apart: core sse core');
});
