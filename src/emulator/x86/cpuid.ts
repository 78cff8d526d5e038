/**
 * What CPUID answers: a processor that has exactly what the emulator implements. It names AMD as its vendor, since decoding and undefined flags
 * follow AMD's processors, and glibc then takes the cache sizes from leaves 0x8000_0005, 6 and 1D (AMD APM vol. 3, appendix E).
 */
import type { Model } from '../guest-arch.js';

/** Features that programs ask for, one row each. */
export interface Feature {
  /** As /proc/cpuinfo spells it (arch/x86/include/asm/cpufeatures.h). */
  readonly name: string;
  readonly leaf: number;
  readonly register: 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
  /** The first model that has it. */
  readonly model: Model;
}

function features(
  leaf: number,
  register: Feature['register'],
  bits: Record<string, number>,
  model: Model = 'base',
): Feature[] {
  return Object.entries(bits).map(([name, bit]) => ({ name, leaf, register, bit, model }));
}

const EXTENDED = 0x8000_0000;
const BASIC_FEATURES = { fpu: 0, tsc: 4, msr: 5, pae: 6, cx8: 8, cmov: 15, mmx: 23, fxsr: 24 };

/** `base`: x86-64-v2 with MOVBE, LZCNT, BMI1, BMI2, ADX, AES, PCLMULQDQ and SHA; no XSAVE, so no AVX. `v3` adds these. */
const FEATURES: readonly Feature[] = [
  ...features(1, 'edx', { ...BASIC_FEATURES, clflush: 19, sse: 25, sse2: 26 }),
  ...features(EXTENDED + 1, 'edx', { syscall: 11, nx: 20, mmxext: 22, rdtscp: 27, lm: 29 }),
  ...features(1, 'ecx', {
    ...{ pni: 0, pclmulqdq: 1, ssse3: 9, cx16: 13, sse4_1: 19, sse4_2: 20, movbe: 22, popcnt: 23, aes: 25 },
  }),
  ...features(EXTENDED + 1, 'ecx', { lahf_lm: 0, abm: 5, '3dnowprefetch': 8, topoext: 22 }),
  ...features(7, 'ebx', { fsgsbase: 0, bmi1: 3, bmi2: 8, adx: 19, clflushopt: 23, sha_ni: 29 }),
  ...features(7, 'ecx', { umip: 2, rdpid: 22 }),
  ...features(EXTENDED + 7, 'edx', { constant_tsc: 8 }),
  ...features(1, 'ecx', { fma: 12, xsave: 26, osxsave: 27, avx: 28, f16c: 29 }, 'v3'),
  ...features(7, 'ebx', { avx2: 5 }, 'v3'),
];

/** What a model has. */
export function featuresOf(model: Model): readonly Feature[] {
  return model === 'v3' ? FEATURES : FEATURES.filter((feature) => feature.model === 'base');
}

/** XCR0 of `v3`: x87, SSE and AVX state (SDM vol. 1, 13.3). */
export const XCR0 = 7;
const XSAVE_BYTES = 832;
const XSAVEOPT_AND_XSAVEC = 3;
const AVX_STATE = { bytes: 256, offset: 576 } as const;

/** Zen 4: family 25, model 17, stepping 1. */
export const IDENTITY = {
  vendor: 'AuthenticAMD',
  brand: 'AMD EPYC 9004-class processor, sidestep',
  family: 25,
  model: 17,
  stepping: 1,
} as const;

/** Bytes and ways of each cache; lines are 64 bytes. */
export const CACHES = {
  data: { level: 1, type: 1, bytes: 32 << 10, ways: 8 },
  code: { level: 1, type: 2, bytes: 32 << 10, ways: 8 },
  second: { level: 2, type: 3, bytes: 1 << 20, ways: 8 },
  third: { level: 3, type: 3, bytes: 32 << 20, ways: 16 },
} as const;

const LINE = 64;
const MAX_BASIC = 0xd;
const MAX_EXTENDED = EXTENDED + 0x1e;

/** eax, ebx, ecx, edx: unsigned 32 bits each. */
export type CpuidResult = readonly [number, number, number, number];

const NOTHING: CpuidResult = [0, 0, 0, 0];

/** Four characters as a little-endian register. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = value * 256 + (at + i < text.length ? text.charCodeAt(at + i) : 0);
  return value;
}

function vendor(first: number): CpuidResult {
  const { vendor: name } = IDENTITY;
  return [first, word(name, 0), word(name, 8), word(name, 4)];
}

function brand(part: number): CpuidResult {
  const at = 16 * part;
  return [0, 4, 8, 12].map((i) => word(IDENTITY.brand, at + i)) as unknown as CpuidResult;
}

/** Family, model and stepping as leaf 1 packs them. */
function signature(): number {
  const { family, model, stepping } = IDENTITY;
  return ((family - 15) << 20) | ((model >> 4) << 16) | (15 << 8) | ((model & 15) << 4) | stepping;
}

function mask(leaf: number, register: Feature['register'], model: Model): number {
  return featuresOf(model)
    .filter((feature) => feature.leaf === leaf && feature.register === register)
    .reduce((bits, { bit }) => (bits | (1 << bit)) >>> 0, 0);
}

/** A leaf whose registers are feature bits. */
function featureLeaf(leaf: number, model: Model, eax: number, ebx = mask(leaf, 'ebx', model)): CpuidResult {
  return [eax, ebx, mask(leaf, 'ecx', model), mask(leaf, 'edx', model)];
}

/** Feature bits of leaf 0xD's subleaf 1. */
const XSAVEOPT = 1;
const XSAVEC = 2;

/** Leaf 0xD: the states that XSAVE keeps, in the standard format; the compacted one is as big with all of them. */
function extendedState(subleaf: number, model: Model): CpuidResult {
  if (model === 'base') return NOTHING;
  if (subleaf === 0) return [XCR0, XSAVE_BYTES, XSAVE_BYTES, 0];
  if (subleaf === 1) return [XSAVEOPT | XSAVEC, XSAVE_BYTES, 0, 0];
  if (subleaf === 1) return [XSAVEOPT_AND_XSAVEC, XSAVE_BYTES, 0, 0];
  return subleaf === 2 ? [AVX_STATE.bytes, AVX_STATE.offset, 0, 0] : NOTHING;
}

/** First-level caches as leaf 0x8000_0005 packs them: KiB, ways, lines per tag, line size. */
function firstLevel({ bytes, ways }: { bytes: number; ways: number }): number {
  return (((bytes >> 10) << 24) | (ways << 16) | (1 << 8) | LINE) >>> 0;
}

/** Leaf 0x8000_0006's code for 8 ways; 9 refers to leaf 0x8000_001D. */
const EIGHT_WAYS = 6;
const SEE_PROPERTIES = 9;

function upperLevels(): CpuidResult {
  const second = (CACHES.second.bytes >> 10) * 0x1_0000 + ((EIGHT_WAYS << 12) | (1 << 8) | LINE);
  const third = (CACHES.third.bytes >> 19) * 0x4_0000 + ((SEE_PROPERTIES << 12) | (1 << 8) | LINE);
  return [0, 0, second, third];
}

/** Leaf 0x8000_001D: one cache for each subleaf, used by one thread. */
function cacheProperties(subleaf: number): CpuidResult {
  const cache = [CACHES.data, CACHES.code, CACHES.second, CACHES.third][subleaf];
  if (cache === undefined) return NOTHING;
  const sets = cache.bytes / (cache.ways * LINE);
  const selfInitialising = 1 << 8;
  const inclusive = cache.level === 2 ? 2 : 0;
  return [
    cache.type | (cache.level << 5) | selfInitialising,
    ((cache.ways - 1) << 22) | (LINE - 1),
    sets - 1,
    inclusive,
  ];
}

/** Leaf 0xB: one thread in one core. */
function topology(subleaf: number): CpuidResult {
  return subleaf < 2 ? [0, 1, subleaf | ((subleaf + 1) << 8), 0] : [0, 0, subleaf, 0];
}

/** Leaf 1's ebx: the size of a line for CLFLUSH in units of 8 bytes, one thread. */
const LINE_AND_THREADS = ((LINE / 8) << 8) | (1 << 16);
/** 48 bits of physical and of linear addresses. */
const ADDRESS_BITS = 0x3030;

/** CPUID for eax = `leaf` and ecx = `subleaf` (unsigned). Leaves that this processor does not have are zero, as AMD's are. */
export function cpuid(leaf: number, subleaf: number, model: Model): CpuidResult {
  switch (leaf) {
    case 0:
      return vendor(MAX_BASIC);
    case 1:
      return featureLeaf(1, model, signature(), LINE_AND_THREADS);
    case 7:
      return subleaf === 0 ? featureLeaf(7, model, 0) : NOTHING;
    case 0xb:
      return topology(subleaf);
    case 0xd:
      return extendedState(subleaf, model);
    case EXTENDED:
      return vendor(MAX_EXTENDED);
    case EXTENDED + 1:
      return extendedFeatures(model);
    case EXTENDED + 2:
    case EXTENDED + 3:
    case EXTENDED + 4:
      return brand(leaf - EXTENDED - 2);
    case EXTENDED + 5:
      return [0, 0, firstLevel(CACHES.data), firstLevel(CACHES.code)];
    case EXTENDED + 6:
      return upperLevels();
    case EXTENDED + 7:
      return featureLeaf(EXTENDED + 7, model, 0);
    case EXTENDED + 8:
      return [ADDRESS_BITS, 0, 0, 0];
    case EXTENDED + 0x1d:
      return cacheProperties(subleaf);
    default:
      return NOTHING;
  }
}

/** AMD repeats the basic feature bits of leaf 1 in edx. */
function extendedFeatures(model: Model): CpuidResult {
  const [eax, ebx, ecx, edx] = featureLeaf(EXTENDED + 1, model, signature(), 0);
  const repeated = Object.values(BASIC_FEATURES).reduce((bits, bit) => bits | (1 << bit), 0);
  return [eax, ebx, ecx, (edx | repeated) >>> 0];
}
