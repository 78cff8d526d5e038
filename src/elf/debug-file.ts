/** Debug information that distributions keep apart from the program: by build id, or by `.gnu_debuglink` (GDB manual, "Separate Debug Files"). */
import { posix } from 'node:path';
import { cString, ElfFile, withinBounds } from './elf-file.js';

/** The whole of a file, by its absolute path; undefined: there is none that can be read. */
export type ReadFile = (path: string) => Uint8Array | undefined;

const DEBUG_ROOT = '/usr/lib/debug';

/** `path`: of the program or library. undefined: nothing is installed, or what is there belongs to another build. */
export function separateDebugFile(elf: ElfFile, path: string, read: ReadFile): ElfFile | undefined {
  return byBuildId(elf, read) ?? byLink(elf, path, read);
}

function byBuildId({ buildId }: ElfFile, read: ReadFile): ElfFile | undefined {
  if (buildId === undefined || buildId.length < 4) return undefined;
  const bytes = read(`${DEBUG_ROOT}/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`);
  const found = bytes && ElfFile.read(bytes);
  return found?.buildId === buildId ? found : undefined;
}

function byLink(elf: ElfFile, path: string, read: ReadFile): ElfFile | undefined {
  const link = withinBounds(() => debugLink(elf));
  if (link === undefined) return undefined;
  const folder = posix.dirname(path);
  for (const place of [folder, `${folder}/.debug`, `${DEBUG_ROOT}${folder}`]) {
    const candidate = `${place}/${link.name}`;
    const bytes = candidate === path ? undefined : read(candidate);
    if (bytes !== undefined && crc32(bytes) === link.crc) return ElfFile.read(bytes);
  }
  return undefined;
}

/** A name, NUL, padding to four bytes, the checksum of the whole file. */
function debugLink(elf: ElfFile): { name: string; crc: number } | undefined {
  const section = elf.contentsOf('.gnu_debuglink');
  if (section.length === 0) return undefined;
  const name = cString(section, 0);
  const at = (Buffer.byteLength(name) + 4) & ~3;
  return { name, crc: new DataView(section.buffer, section.byteOffset, section.byteLength).getUint32(at, true) };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

/** The CRC-32 of IEEE 802.3. (zlib.crc32 is not in every Node 20.) */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
