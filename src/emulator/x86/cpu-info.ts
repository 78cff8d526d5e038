/** /proc/cpuinfo for the one processor that CPUID describes (arch/x86/kernel/cpu/proc.c). */
import type { Model } from '../guest-arch.js';
import { CACHES, featuresOf, IDENTITY } from './cpuid.js';

/** Virtual time runs one instruction a nanosecond; the TSC too. */
const MHZ = '1000.000';

export function cpuInfo(model: Model): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ['processor', 0],
    ['vendor_id', IDENTITY.vendor],
    ['cpu family', IDENTITY.family],
    ['model', IDENTITY.model],
    ['model name', IDENTITY.brand],
    ['stepping', IDENTITY.stepping],
    ['cpu MHz', MHZ],
    ['cache size', `${CACHES.second.bytes >> 10} KB`],
    ['physical id', 0],
    ['siblings', 1],
    ['core id', 0],
    ['cpu cores', 1],
    ['apicid', 0],
    ['initial apicid', 0],
    ['fpu', 'yes'],
    ['fpu_exception', 'yes'],
    ['cpuid level', 13],
    ['wp', 'yes'],
    [
      'flags',
      featuresOf(model)
        .map(({ name }) => name)
        .join(' '),
    ],
    ['bugs', ''],
    ['bogomips', '2000.00'],
    ['TLB size', '3584 4K pages'],
    ['clflush size', 64],
    ['cache_alignment', 64],
    ['address sizes', '48 bits physical, 48 bits virtual'],
    ['power management', ''],
  ];
  return `${rows.map(([name, value]) => row(name, String(value))).join('')}\n`;
}

/** Names take 16 columns of tabs, as the kernel writes them; `power management` has none. */
function row(name: string, value: string): string {
  if (name === 'power management') return `${name}:${value}\n`;
  return `${name}${name.length < 8 ? '\t\t' : '\t'}: ${value}\n`;
}
