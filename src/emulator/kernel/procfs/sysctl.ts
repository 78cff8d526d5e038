/** /proc/sys: the settings that programs read. Few can be written. */
import { Entropy } from '../../entropy.js';
import { pathText } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { EINVAL, EPERM } from '../errno.js';
import { type DirectoryNode, fixedDirectory, type SyntheticNode, type TextNode } from '../file/synthetic-fs.js';
import { CAP, capable } from '../identity-checks.js';
import { KERNEL_RELEASE, KERNEL_VERSION } from '../system.js';
import { text } from './text.js';

const NAME_MAX = 64;

function constant(value: string | number): TextNode {
  return text(() => `${value}\n`);
}

function hostName(machine: Machine, viewer: Process, key: 'hostname' | 'domainname'): TextNode {
  return {
    kind: 'text',
    mode: 0o644,
    read: () => `${machine[key]}\n`,
    write(bytes) {
      if (!capable(viewer, CAP.SYS_ADMIN)) return -EPERM;
      const name = pathText(bytes).split('\n', 1)[0] ?? '';
      if (name.length > NAME_MAX) return -EINVAL;
      machine[key] = name;
      return bytes.length;
    },
  };
}

/** 16 random bytes in the form of a version 4 UUID. */
function uuid(entropy: Entropy): string {
  const bytes = new Uint8Array(16);
  entropy.fill(bytes);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Keeps apart what both come from the seed. */
const BOOT_SEED = 0xb007;

function kernel(machine: Machine, viewer: Process): DirectoryNode {
  return fixedDirectory({
    cap_last_cap: constant(CAP.LAST),
    core_pattern: constant('core'),
    core_uses_pid: constant(0),
    domainname: hostName(machine, viewer, 'domainname'),
    hostname: hostName(machine, viewer, 'hostname'),
    msgmax: constant(8192),
    msgmnb: constant(16_384),
    msgmni: constant(32_000),
    ngroups_max: constant(65_536),
    osrelease: constant(KERNEL_RELEASE),
    ostype: constant('Linux'),
    overflowgid: constant(65_534),
    overflowuid: constant(65_534),
    perf_event_paranoid: constant(3),
    pid_max: constant(4_194_304),
    random: fixedDirectory({
      boot_id: text(() => `${uuid(new Entropy(machine.config.seed + BOOT_SEED))}\n`),
      entropy_avail: constant(256),
      poolsize: constant(256),
      uuid: text(() => `${uuid(machine.entropy)}\n`),
    }),
    randomize_va_space: text(() => (machine.config.randomise ? '2\n' : '0\n')),
    sem: constant('32000\t1024000000\t500\t32000'),
    shmall: constant('18446744073692774399'),
    shmmax: constant('18446744073692774399'),
    shmmni: constant(4096),
    'threads-max': text(() => `${machine.config.maxProcesses}\n`),
    version: constant(KERNEL_VERSION),
  });
}

const FS: SyntheticNode = fixedDirectory({
  epoll: fixedDirectory({ max_user_watches: constant(5_000_000) }),
  'file-max': constant('9223372036854775807'),
  'file-nr': constant('0\t0\t9223372036854775807'),
  inotify: fixedDirectory({
    max_queued_events: constant(16_384),
    max_user_instances: constant(128),
    max_user_watches: constant(65_536),
  }),
  mqueue: fixedDirectory({ msg_max: constant(10), msgsize_max: constant(8192), queues_max: constant(256) }),
  nr_open: constant(1_048_576),
  overflowgid: constant(65_534),
  overflowuid: constant(65_534),
  'pipe-max-size': constant(1_048_576),
  suid_dumpable: constant(0),
});

const NET: SyntheticNode = fixedDirectory({
  core: fixedDirectory({ rmem_max: constant(212_992), somaxconn: constant(4096), wmem_max: constant(212_992) }),
  ipv4: fixedDirectory({ ip_local_port_range: constant('32768\t60999') }),
});

const VM: SyntheticNode = fixedDirectory({
  max_map_count: constant(65_530),
  mmap_min_addr: constant(65_536),
  overcommit_memory: constant(0),
  overcommit_ratio: constant(50),
  swappiness: constant(60),
});

export function sysctl(machine: Machine, viewer: Process): DirectoryNode {
  return fixedDirectory({ fs: FS, kernel: kernel(machine, viewer), net: NET, vm: VM });
}
