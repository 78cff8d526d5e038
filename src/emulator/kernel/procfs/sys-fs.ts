/** /sys: the processor's topology and the few settings that allocators and runtimes look for. One processor, one node. */
import type { Machine } from '../../machine.js';
import { type DirectoryNode, fixedDirectory, SyntheticFileSystem, type TextNode } from '../file/synthetic-fs.js';

const SYSFS_MAGIC = 0x6265_6572;
const SYSFS_DEVICE = 22;
/** sysfs says a page for every attribute. */
const ATTRIBUTE_BYTES = 4096;

function attribute(value: string | number): TextNode {
  return { kind: 'text', mode: 0o444, size: ATTRIBUTE_BYTES, read: () => `${value}\n` };
}

const TOPOLOGY = fixedDirectory({
  core_cpus: attribute(1),
  core_cpus_list: attribute(0),
  core_id: attribute(0),
  core_siblings: attribute(1),
  core_siblings_list: attribute(0),
  die_id: attribute(0),
  package_cpus: attribute(1),
  package_cpus_list: attribute(0),
  physical_package_id: attribute(0),
  thread_siblings: attribute(1),
  thread_siblings_list: attribute(0),
});

const CPU = fixedDirectory({
  cpu0: fixedDirectory({ online: attribute(1), topology: TOPOLOGY }),
  isolated: attribute(''),
  kernel_max: attribute(0),
  offline: attribute(''),
  online: attribute(0),
  possible: attribute(0),
  present: attribute(0),
  smt: fixedDirectory({ active: attribute(0), control: attribute('notsupported') }),
});

const NODE = fixedDirectory({
  has_cpu: attribute(0),
  node0: fixedDirectory({ cpulist: attribute(0), cpumap: attribute(1), distance: attribute(10) }),
  online: attribute(0),
  possible: attribute(0),
});

const ROOT: DirectoryNode = fixedDirectory({
  devices: fixedDirectory({ system: fixedDirectory({ cpu: CPU, node: NODE }) }),
  kernel: fixedDirectory({
    mm: fixedDirectory({
      transparent_hugepage: fixedDirectory({
        enabled: attribute('always madvise [never]'),
        hpage_pmd_size: attribute(2 << 20),
      }),
    }),
  }),
});

export function sysFileSystem(machine: Machine): SyntheticFileSystem {
  return new SyntheticFileSystem(machine, { type: 'sysfs', magic: SYSFS_MAGIC, device: SYSFS_DEVICE }, () => ROOT);
}
