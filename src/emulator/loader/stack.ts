/** The first stack of a program: strings, auxiliary vector, environment, arguments (fs/exec.c, fs/binfmt_elf.c: create_elf_tables). */
import type { AddressSpace } from '../memory/address-space.js';
import { PROT, VMA } from '../memory/vma.js';
import type { Auxv } from './auxv.js';

const PAGE = 4096;
const WORD = 8;
/** So much of the stack is mapped below the strings from the start. */
const STACK_EXPAND = 0x2_0000;
const RANDOM_BYTES = 16;

export interface StackRequest {
  readonly top: number;
  /** RLIMIT_STACK in bytes. */
  readonly limit: number;
  /** Bytes that the tables lie lower. */
  readonly shift: number;
  readonly executable: boolean;
  readonly argv: readonly Uint8Array[];
  readonly environ: readonly Uint8Array[];
  /** The path that was executed: AT_EXECFN. */
  readonly fileName: Uint8Array;
  /** AT_PLATFORM, without its NUL. */
  readonly platform: Uint8Array;
  /** What AT_RANDOM points to: 16 bytes. */
  readonly random: Uint8Array;
  /** The vector for the addresses of the strings and random bytes, in the order of the kernel, with AT_NULL. */
  auxv(addresses: { fileName: number; platform: number; random: number }): Auxv;
}

export interface FirstStack {
  readonly sp: number;
  readonly auxv: Auxv;
  readonly arguments: readonly [start: number, end: number];
  readonly environment: readonly [start: number, end: number];
}

/** Maps and fills the stack; undefined when memory runs out. */
export function buildStack(space: AddressSpace, request: StackRequest): FirstStack | undefined {
  const { top, argv, environ, fileName, platform, random } = request;
  const lengthOf = (strings: readonly Uint8Array[]): number => strings.reduce((sum, { length }) => sum + length + 1, 0);
  const fileNameAt = top - WORD - (fileName.length + 1);
  const environAt = fileNameAt - lengthOf(environ);
  const argvAt = environAt - lengthOf(argv);
  const aligned = down(argvAt - request.shift, 16);
  const platformAt = aligned - (platform.length + 1);
  const randomAt = platformAt - RANDOM_BYTES;
  const auxv = request.auxv({ fileName: fileNameAt, platform: platformAt, random: randomAt });
  const pointers = 1 + argv.length + 1 + environ.length + 1;
  const sp = down(randomAt - auxv.length * 2 * WORD - pointers * WORD, 16);
  mapStack(space, request, argvAt);

  const image = new Uint8Array(top - sp);
  const view = new DataView(image.buffer);
  let at = 0;
  const word = (value: number | bigint): void => {
    view.setBigUint64(at, BigInt(value), true);
    at += WORD;
  };
  const pointersTo = (strings: readonly Uint8Array[], first: number): void => {
    let address = first;
    for (const string of strings) {
      word(address);
      image.set(string, address - sp);
      address += string.length + 1;
    }
    word(0);
  };
  word(argv.length);
  pointersTo(argv, argvAt);
  pointersTo(environ, environAt);
  for (const [type, value] of auxv) {
    word(type);
    word(value);
  }
  image.set(random, randomAt - sp);
  image.set(platform, platformAt - sp);
  image.set(fileName, fileNameAt - sp);
  if (space.write(sp, image) !== image.length) return undefined;
  return { sp, auxv, arguments: [argvAt, environAt], environment: [environAt, fileNameAt] };
}

/** setup_arg_pages: 128 KiB more than the strings, as far as the limit allows; the rest when it is touched. */
function mapStack(space: AddressSpace, { top, limit, executable }: StackRequest, strings: number): void {
  const lowest = Number.isFinite(limit) ? top - down(limit, PAGE) : 0;
  const page = down(strings, PAGE);
  const at = Math.min(page, Math.max(page - STACK_EXPAND, lowest));
  const prot = PROT.READ | PROT.WRITE | (executable ? PROT.EXEC : 0);
  space.mappings.map({ at, length: top - at, prot, flags: VMA.GROWSDOWN, name: '[stack]' });
}

function down(at: number, align: number): number {
  return Math.floor(at / align) * align;
}
