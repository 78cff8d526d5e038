/** AES, SHA and carry-less multiplication: SDM vol. 1, 5.12, 5.20. */
import { Mnemonic } from '../../../iced-x86.js';
import { SLOT } from '../../../register-set.js';
import type { Value } from '../../ir/op-builder.js';
import type { Subroutine } from '../../ir/subroutine.js';
import { both, type InsnRow, type Lifter, type LiftFunction, row } from '../lifter.js';
import { AES, invertKey, substitute } from '../vector/aes.js';
import { multiplyCarryless } from '../vector/carryless.js';
import { sha1Rounds, sha1Schedule, sha256Rounds, sha256Schedule1, sha256Schedule2 } from '../vector/sha.js';
import { type Binary, binary, laneIndices, readAligned, unary, writeHalves } from './vector-operands.js';

/** dst ← sub(dst, src). */
function called(sub: Subroutine): LiftFunction {
  return binary((b, x, y) => b.call1(sub, x, y));
}

const KEY_WORDS = Uint8Array.of(4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12);

/** AESKEYGENASSIST: SubWord of words 1 and 3, and the same turned, with the round constant. */
function aeskeygenassist(b: Lifter): void {
  const substituted = b.call1(substitute, readAligned(b, 1));
  const constant = new Uint8Array(16);
  constant[4] = constant[12] = b.insn.immediate8;
  const words = b.shuffle(substituted, substituted, KEY_WORDS);
  writeHalves(b, [b.op('v128.xor', words, b.v128(constant))]);
}

/** PCLMULQDQ: the immediate chooses the halves. */
function pclmulqdq(b: Lifter, x: Value, y: Value): Value {
  const chosen = b.insn.immediate8;
  const half = (vector: Value, lane: number): Value => b.op(`i64x2.extract_lane.${lane & 1}`, vector);
  return b.call1(multiplyCarryless, half(x, chosen), half(y, chosen >> 4));
}

/** dst ← op(dst, src) of SHA, whose source need not be aligned on AMD's processors. */
function unaligned(op: Binary): LiftFunction {
  return (b) => {
    const y = b.readVector(1);
    b.writeVector(0, op(b, b.readVector(0), y, 0));
  };
}

function scheduled(sub: Subroutine): LiftFunction {
  return unaligned((b, x, y) => b.call1(sub, x, y));
}

/** SHA1RNDS4: the immediate's low bits choose the function. */
function sha1rnds4(b: Lifter, x: Value, y: Value): Value {
  const sub = sha1Rounds[b.insn.immediate8 & 3];
  if (sub === undefined) throw new Error('no such stage of SHA-1');
  return b.call1(sub, x, y);
}

/** SHA1NEXTE: src, the E of dst's A added to its word in lane 3. */
function nextE(b: Lifter, x: Value, y: Value): Value {
  const e = b.op('i32.rotl', b.op('i32x4.extract_lane.3', x), b.i32(30));
  return b.op('i32x4.replace_lane.3', y, b.add(b.op('i32x4.extract_lane.3', y), e));
}

/** SHA1MSG1. */
function sha1msg1(b: Lifter, x: Value, y: Value): Value {
  return b.op('v128.xor', x, b.shuffle(x, y, laneIndices(4, [6, 7, 0, 1])));
}

/** SHA256RNDS2, with two words in xmm0. */
function sha256rnds2(b: Lifter, x: Value, y: Value): Value {
  return b.call1(sha256Rounds, x, y, b.get(SLOT.VECTOR, 16));
}

export const vectorCipher: readonly InsnRow[] = [
  ...both(Mnemonic.Aesenc, Mnemonic.Vaesenc, called(AES.encrypt)),
  ...both(Mnemonic.Aesenclast, Mnemonic.Vaesenclast, called(AES.encryptLast)),
  ...both(Mnemonic.Aesdec, Mnemonic.Vaesdec, called(AES.decrypt)),
  ...both(Mnemonic.Aesdeclast, Mnemonic.Vaesdeclast, called(AES.decryptLast)),
  ...both(
    Mnemonic.Aesimc,
    Mnemonic.Vaesimc,
    unary((b, x) => b.call1(invertKey, x)),
  ),
  ...both(Mnemonic.Aeskeygenassist, Mnemonic.Vaeskeygenassist, aeskeygenassist),
  ...both(Mnemonic.Pclmulqdq, Mnemonic.Vpclmulqdq, binary(pclmulqdq)),
  row(Mnemonic.Sha1rnds4, unaligned(sha1rnds4)),
  row(Mnemonic.Sha1nexte, unaligned(nextE)),
  row(Mnemonic.Sha1msg1, unaligned(sha1msg1)),
  row(Mnemonic.Sha1msg2, scheduled(sha1Schedule)),
  row(Mnemonic.Sha256rnds2, unaligned(sha256rnds2)),
  row(Mnemonic.Sha256msg1, scheduled(sha256Schedule1)),
  row(Mnemonic.Sha256msg2, scheduled(sha256Schedule2)),
];
