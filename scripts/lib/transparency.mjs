// What a program can see of being probed: the same program unprobed, with a kernel uprobe on every instruction, and with sidestep's.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { FLAGS, instructions } from './compare-steps.mjs';

const rows = (text) => new Map(text.split('\n').filter((line) => line.includes(' ')).map((line) => line.split(' ')));

/** Prints; the number of rows in which sidestep's program sees something. */
export async function showTransparency({ root, folder, both, say }) {
  const program = join(folder, 'transparency');
  execFileSync('gcc', ['-w', '-I', join(root, 'test/guests'), '-o', program, join(root, 'scripts/lib/transparency.c'), ...FLAGS, '-O0']);
  const probes = instructions(program).map(({ address, offset }) => ({ name: `i${address.toString(16)}`, file: program, offset, args: [] }));
  const unprobed = rows(execFileSync(program, { encoding: 'utf8' }));
  const { kernel, sidestep } = await both({ argv: [program], probes, machine: { cpu: 'v3' } });
  const [theirs, ours] = [rows(kernel.output), rows(sidestep.output)];
  let wrong = 0;
  say(`\nwhat a program sees of itself, probed at each of its ${probes.length} instructions (${Object.keys(kernel.refused).length} refused by the kernel)`);
  for (const [name, value] of unprobed) {
    if (ours.get(name) !== value) wrong++;
    say(`  ${name.padEnd(32)} unprobed ${value}  kernel ${mark(theirs.get(name), value)}  sidestep ${mark(ours.get(name), value)}`);
  }
  if (kernel.status !== 0) say(`  under the kernel's probes it ended with ${kernel.status}`);
  return wrong;
}

const mark = (value, expected) => (value === expected ? 'the same        ' : (value ?? 'nothing: it died'));
