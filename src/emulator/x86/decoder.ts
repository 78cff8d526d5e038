/** iced-x86's decoder behind the one question that the emulator asks: which instruction is at this address? */
import { Decoder, DecoderError, DecoderOptions, Formatter, FormatterSyntax, Instruction } from '../../iced-x86.js';

/** Longest x86 instruction. */
export const MAX_INSN_LENGTH = 15;

export type Decoded = Instruction | 'truncated';

/** Decodes one instruction after another. To be freed. */
export class BlockDecoder {
  private readonly decoder: Decoder;
  private left: number;

  constructor(
    bytes: Uint8Array,
    ip: number,
    /** Filled by every `next`. */
    private readonly insn = new Instruction(),
  ) {
    this.decoder = new Decoder(64, bytes, DecoderOptions.AMD);
    this.decoder.ip = BigInt(ip);
    this.left = bytes.length;
  }

  /** The next instruction. Invalid encodings come back with `isInvalid` true; `truncated` means that the bytes ended too early. */
  next(): Decoded {
    const { insn, decoder } = this;
    decoder.decodeOut(insn);
    if (insn.isInvalid && this.left < MAX_INSN_LENGTH && decoder.lastError === DecoderError.NoMoreBytes)
      return 'truncated';
    this.left -= insn.length;
    return insn;
  }

  free(): void {
    this.decoder.free();
  }
}

/** The instruction at `ip`, as from BlockDecoder; to be freed. */
export function decode(bytes: Uint8Array, ip: number): Decoded {
  const insn = new Instruction();
  const decoder = new BlockDecoder(bytes, ip, insn);
  const found = decoder.next();
  decoder.free();
  if (found === 'truncated') insn.free();
  return found;
}

/** The instruction's text, for messages. */
export function disassemble(insn: Instruction): string {
  const formatter = new Formatter(FormatterSyntax.Gas);
  const text = formatter.format(insn);
  formatter.free();
  return text;
}
