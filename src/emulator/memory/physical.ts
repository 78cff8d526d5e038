/**
 * The one memory: a WebAssembly.Memory of fixed size with its views. It never grows, so views stay valid for the life of the machine;
 * pages that nobody touched cost the host nothing.
 */
import { FRAMES_BASE } from './layout.js';

export class PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;
  readonly size: number;

  /** `size`: bytes, a multiple of 64 KiB above FRAMES_BASE, at most 4 GiB. */
  constructor(size: number) {
    if (size % 0x1_0000 !== 0 || size <= FRAMES_BASE || size > 2 ** 32) throw new Error(`bad memory size ${size}`);
    const pages = size / 0x1_0000;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    this.size = size;
  }
}
