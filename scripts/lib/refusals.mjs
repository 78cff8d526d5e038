// Which instructions can be probed: the kernel's verdict and sidestep's, instruction by instruction.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProbeSession } from '../../dist/uprobes-api.js';
import { functionsOf } from './functions.mjs';
import { holdMapped, KernelProbes } from './tracefs.mjs';

/** Name and bytes. */
const ZOO = `
nop 90|nop2 6690|nop5 0f1f440000|nop10_2e 662e0f1f840000000000|pause f390|endbr64 f30f1efa|endbr32 f30f1efb|push_rbp 55|push_r12 4154|push_imm8 6a01|push_imm32 6801000000
push_mem ff30|push16 6655|pop_rbp 5d|pop_mem 8f00|leave c9|enter c8100000|mov_rr 4889e5|mov_imm b801000000|movabs 48b80102030405060708|sub_rsp 4883ec10|xor_rr 31c0|test_rr 85c0|lea 488d4508
lea_rip 488d0500000000|mov_rip 488b0500000000|mov_to_rip 48890500000000|cmp_rip_imm 833d0000000001|jmp8 eb00|jmp32 e900000000|jmp66 66e90000|bnd_jmp f2e900000000|jcc8 7400|jcc32 0f8400000000
call32 e800000000|call66 66e80000|call_rax ffd0|call_rip ff1500000000|jmp_rax ffe0|jmp_rip ff2500000000|notrack_jmp 3effe0|ret c3|ret_imm c20800|rep_ret f3c3|lret cb|lret_imm ca0800|iret cf|iretq 48cf
loop e200|loope e100|loopne e000|jrcxz e300|jecxz 67e300|pushf 9c|popf 9d|lahf 9f|sahf 9e|movsb a4|rep_movsb f3a4|repne_scasb f2ae|stosq 48ab|lodsb ac|cmpsb a6|in_imm e400|in_dx ec|out_imm e600|out_dx ee|insb 6c|outsb 6e
cli fa|sti fb|hlt f4|int3 cc|int1 f1|int80 cd80|int3_long cd03|into ce|syscall 0f05|sysenter 0f34|sysret 0f07|sysexit 0f35|ud2 0f0b|ud1 0fb9c0|ud0 0fffc0|clts 0f06|wrmsr 0f30|rdmsr 0f32|rdtsc 0f31|rdtscp 0f01f9
rdpmc 0f33|cpuid 0fa2|xgetbv 0f01d0|sgdt 0f0100|sldt 0f00c0|vmcall 0f01c1|monitor 0f01c8|invd 0f08|wbinvd 0f09|mov_cr0 0f20c0|mov_dr0 0f21c0|rdfsbase f3480faec0|wrfsbase f3480faed0|swapgs 0f01f8|rdpkru 0f01ee
mov_ss 8ed0|mov_ds 8ed8|mov_from_ss 8cd0|push_fs 0fa0|pop_gs 0fa9|lss 0fb200|lock_inc f0ff00|lock_xadd f0480fc107|lock_cmpxchg16b f0480fc70f|cs_mov 2e488b00|ds_mov 3e488b00|es_mov 26488b00|ss_mov 36488b00|fs_mov 64488b042528000000|gs_mov 65488b00
addr32_mov 67488b00|opsize_mov 668b00|fldz d9ee|fnstenv d930|fwait 9b|emms 0f77|movaps 0f2800|addps 0f58c1|vaddps c5f058d1|vaddps_rip c5f0580500000000|mulx c4e2fbf6c1|vpor c5f1ebc9|vpshufd c5f970c800|vmovq c4c1f97ed0|vpsubsb c5f1e8c9
evex_add 62f1744858d1|evex_rip 62f174485805 00000000|kmovw c5f890c8|xop_vpcmov 8fe8f0a2c010|crc32 f20f38f0c1|aesenc 660f38dcc1|xbegin c7f800000000|xend 0f01d5|xtest 0f01d6|xabort c6f800|fxsave 0fae00|xsave 0fae20|xrstors 0fc718|clflush 0fae38
mfence 0faef0|maskmovdqu 660ff7c1|prefetch 0f1800|popcnt f30fb8c1|cmpxchg8b 0fc70f|bswap 0fc8|xlat d7|cbw 98|cwd 99|push_es 06|pop_es 07|push_cs 0e|push_ss 16|push_ds 1e|daa 27|das 2f|aaa 37|aas 3f|pusha 60|popa 61|bound 6200|arpl_movsxd 63c0|op82 82c001
call_far 9a00000000000000|call_far_mem ff18|jmp_far_mem ff28|jmp_far ea000000000000|aam d40a|aad d50a|salc d6|bad_evex 62000000000000|too_long 66666666666666666666666666666690|bad_0f0f 0f0f|bad_0f04 0f04|rex_push 4055|two_rex 484855
`
  .trim()
  .split(/[|\n]/)
  .map((entry) => {
    const [name, ...bytes] = entry.split(' ');
    return { name, bytes: bytes.join('') };
  });

const SLOT = 32;
const NAMES = { 1: 'EPERM', 5: 'EIO', 8: 'ENOEXEC', 17: 'EEXIST', 22: 'EINVAL', 95: 'EOPNOTSUPP', 524: 'ENOTSUPP' };
const named = (errno) => (errno === 0 ? 'ok' : (NAMES[errno] ?? String(errno)));

/** Why sidestep's verdict differs from the kernel's. The first rule that holds. */
const REASONS = [
  [({ name }) => /^(lock_|cs_|ds_|es_|ss_|notrack_)|_2e$/.test(name), 'LOCK and segment prefixes are allowed: a copy means the same (`strict` refuses them)'],
  [({ kernel, ours }) => kernel === 'ENOTSUPP' && ours === 'EEXIST', "the program's own int3 has an errno of its own"],
  [({ kernel, ours }) => kernel === 'ENOTSUPP' && ours === 'ENOEXEC', 'no instruction in 64-bit mode: refused with another errno'],
  [({ kernel, ours }) => kernel === 'ENOEXEC' && ours === 'ENOTSUPP', 'no instruction in 64-bit mode: refused with another errno'],
  [({ bytes }) => bytes.startsWith('d5'), 'newer kernels read d5 as a prefix of APX (REX2), which no processor has yet'],
  [({ kernel, ours }) => kernel === 'ok' && ours === 'ENOEXEC', 'the processor has no such instruction: a probe there could only raise SIGILL'],
];

/** Prints the differences; the number of those that are not explained. */
export async function compareRefusals({ folder, say }) {
  const source = join(folder, 'refusals.S');
  const program = join(folder, 'refusals');
  const slots = ZOO.map(({ bytes }) => `.balign ${SLOT}, 0x90\n.byte ${bytes.match(/../g).map((byte) => `0x${byte}`).join(',')}`);
  writeFileSync(source, `.text\n.globl _start\n.type _start,@function\n_start: mov $60, %eax\nsyscall\n.globl zoo\n.type zoo,@function\n.balign ${SLOT}, 0x90\nzoo:\n${slots.join('\n')}\n.balign ${SLOT}, 0x90\n`);
  execFileSync('gcc', ['-nostdlib', '-static', '-no-pie', '-o', program, source]);
  const zoo = functionsOf(program).get('zoo');
  const verdicts = ZOO.map((insn, i) => ({ ...insn, offset: zoo.offset + SLOT * i, address: zoo.address + SLOT * i }));
  await askKernel(verdicts, program, folder);
  for (const strict of [false, true]) askSidestep(verdicts, program, strict);
  const accepted = verdicts.filter(({ kernel }) => kernel === 'ok').length;
  say(`\nrefusals: ${verdicts.length} instructions; the kernel accepts ${accepted}, sidestep ${verdicts.filter(({ ours }) => ours === 'ok').length} (as strict as Linux: ${verdicts.filter(({ strict }) => strict === 'ok').length})`);
  let unexplained = 0;
  const groups = new Map();
  for (const verdict of verdicts) {
    if (verdict.kernel === verdict.ours) continue;
    const why = REASONS.find(([holds]) => holds(verdict))?.[1];
    if (why === undefined) unexplained++;
    const key = `kernel ${verdict.kernel}, sidestep ${verdict.ours}: ${why ?? 'NOT EXPLAINED'}`;
    groups.set(key, [...(groups.get(key) ?? []), verdict.name]);
  }
  for (const [key, names] of groups) say(`  ${key}\n      ${names.join(' ')}`);
  return unexplained;
}

async function askKernel(verdicts, program, folder) {
  const kernel = new KernelProbes();
  const holder = await holdMapped(program, folder);
  try {
    for (const verdict of verdicts) {
      const { name, offset } = verdict;
      verdict.kernel = named(kernel.define({ name, file: program, offset }) || kernel.enable(name));
      kernel.disable(name);
    }
  } finally {
    holder.kill();
    kernel.close();
  }
}

function askSidestep(verdicts, program, strict) {
  const session = ProbeSession.spawn({ argv: [program], environment: [], engine: { strict } });
  for (const verdict of verdicts) {
    try {
      session.probe({ kind: 'address', address: verdict.address }, { handler: () => 'continue' });
      verdict[strict ? 'strict' : 'ours'] = 'ok';
    } catch (error) {
      verdict[strict ? 'strict' : 'ours'] = error.message.split(':')[0];
    }
  }
}
