/**
 * The package iced-x86, loaded by `require`: an ES import of this CommonJS package makes Node parse its 900 KB twice more, to find out what it
 * exports (measured: 110 ms instead of 25 ms at every start).
 */
import { createRequire } from 'node:module';
import type * as iced from 'iced-x86';
import { optimisedLate } from './wasm-engine.js';

export const {
  Code,
  ConstantOffsets,
  CpuidFeature,
  Decoder,
  DecoderError,
  DecoderOptions,
  EncodingKind,
  FlowControl,
  Formatter,
  FormatterSyntax,
  Instruction,
  InstructionInfoFactory,
  MemorySize,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  Register,
  RegisterExt,
} = optimisedLate(() => createRequire(import.meta.url)('iced-x86') as typeof iced);

export type Code = iced.Code;
export type ConstantOffsets = iced.ConstantOffsets;
export type CpuidFeature = iced.CpuidFeature;
export type Decoder = iced.Decoder;
export type DecoderError = iced.DecoderError;
export type FlowControl = iced.FlowControl;
export type Formatter = iced.Formatter;
export type Instruction = iced.Instruction;
export type MemorySize = iced.MemorySize;
export type Mnemonic = iced.Mnemonic;
export type OpKind = iced.OpKind;
export type Register = iced.Register;
