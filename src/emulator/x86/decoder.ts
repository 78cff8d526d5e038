/** iced-x86's decoder behind the one question that the emulator asks: which instruction is at this address? */
import { Decoder, DecoderError, DecoderOptions, Formatter, FormatterSyntax, type Instruction } from '../../iced-x86.js';

/** Longest x86 instruction. */
export const MAX_INSN_LENGTH = 15;

export type Decoded = Instruction | 'truncated';

/**
 * Decodes the instruction at `ip`. Invalid encodings come back as an Instruction whose `isInvalid` is true; `truncated` means that the bytes
 * ended too early.
 */
export function decode(bytes: Uint8Array, ip: number): Decoded {
  const decoder = new Decoder(64, bytes, DecoderOptions.AMD);
  decoder.ip = BigInt(ip);
  const insn = decoder.decode();
  const truncated = insn.isInvalid && decoder.lastError === DecoderError.NoMoreBytes && bytes.length < MAX_INSN_LENGTH;
  decoder.free();
  if (!truncated) return insn;
  insn.free();
  return 'truncated';
}

/** The instruction's text, for messages. */
export function disassemble(insn: Instruction): string {
  const formatter = new Formatter(FormatterSyntax.Gas);
  const text = formatter.format(insn);
  formatter.free();
  return text;
}
