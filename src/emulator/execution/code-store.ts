/**
 * All blocks of the machine and the memory that their interpreter code fills. Blocks are found by address and fetched bytes: a block whose code
 * was withdrawn (a breakpoint set and removed, a library mapped in another process) is found again without lifting.
 *
 * The memory is used in turns, one segment after another; entering a segment evicts the blocks in it, so what is hot and evicted is lifted again.
 */
import { InterpreterEncoder } from '../interp/encode.js';
import { RECORD_BYTES } from '../interp/opcodes.js';
import type { IrBlock } from '../ir/ir.js';
import { IR_CODE_BASE, IR_CODE_SIZE } from '../memory/layout.js';
import type { Block } from './block.js';
import type { KeptBlock } from './kept-code.js';

const SEGMENTS = 8;
const SEGMENT_BYTES = IR_CODE_SIZE / SEGMENTS;

export class CodeStore {
  private readonly byAddress = new Map<number, Block[]>();
  private readonly segments: Block[][] = Array.from({ length: SEGMENTS }, () => []);
  private segment = 0;
  private at = IR_CODE_BASE;
  /** Blocks made so far. */
  made = 0;

  constructor(private readonly encoder: InterpreterEncoder) {}

  /** A block that was made at this address of what is there now: `matches` compares. */
  find(
    { ip, single }: { readonly ip: number; readonly single: boolean },
    matches: (block: Block) => boolean,
  ): Block | undefined {
    return this.byAddress.get(ip)?.find((block) => block.single === single && matches(block));
  }

  /** Encodes a block and keeps it. `hotAfter`: see InterpreterEncoder. */
  add(ir: IrBlock, single: boolean, hotAfter: number): Block {
    this.makeRoom(InterpreterEncoder.bound(ir));
    const code = this.at;
    this.at = this.encoder.encode(ir, code, hotAfter);
    return this.enter({ ...ir, single }, code, hotAfter);
  }

  /** Keeps a block whose records were made before, by `add` with a counter. */
  restore(ip: number, { bytes, code: records, subroutines }: KeptBlock, hotAfter: number): Block {
    this.makeRoom(records.length);
    const code = this.at;
    this.at = this.encoder.restore(records, subroutines, code);
    this.encoder.setCounter(code, hotAfter);
    return this.enter({ ip, bytes, hooks: [], single: false }, code, hotAfter);
  }

  private enter(
    { ip, bytes, hooks, single }: Pick<Block, 'ip' | 'bytes' | 'hooks' | 'single'>,
    code: number,
    hotAfter: number,
  ): Block {
    const start = hotAfter > 0 ? code + RECORD_BYTES : code;
    const place = { code, start, codeEnd: this.at };
    const block: Block = { ip, end: ip + bytes.length, bytes, hooks, single, ...place, users: new Set() };
    this.made++;
    const others = this.byAddress.get(ip);
    if (others === undefined) this.byAddress.set(ip, [block]);
    else others.push(block);
    (this.segments[this.segment] as Block[]).push(block);
    return block;
  }

  /** Where the code of the block's instruction at `ip` begins; undefined when none does there that can be entered with lazy flags of this kind. */
  codeAt(block: Block, ip: number, flagsKind: number): number | undefined {
    return this.encoder.find(block.start, block.codeEnd, ip, flagsKind);
  }

  /** Executions until the block is hot (again). */
  setCounter(block: Block, executions: number): void {
    this.encoder.setCounter(block.code, executions);
  }

  /** Where the indirect transfer at the block's end went last; undefined if it has not run. */
  lastTarget(block: Block): number | undefined {
    return this.encoder.lastTarget(block.codeEnd);
  }

  private makeRoom(bytes: number): void {
    if (bytes > SEGMENT_BYTES) throw new Error(`a block of ${bytes} bytes of code`);
    if (this.at + bytes <= IR_CODE_BASE + (this.segment + 1) * SEGMENT_BYTES) return;
    this.segment = (this.segment + 1) % SEGMENTS;
    this.at = IR_CODE_BASE + this.segment * SEGMENT_BYTES;
    for (const block of this.segments[this.segment] as Block[]) this.evict(block);
    this.segments[this.segment] = [];
  }

  private evict(block: Block): void {
    for (const user of [...block.users]) user.remove(block);
    const left = (this.byAddress.get(block.ip) ?? []).filter((other) => other !== block);
    if (left.length === 0) this.byAddress.delete(block.ip);
    else this.byAddress.set(block.ip, left);
  }
}
