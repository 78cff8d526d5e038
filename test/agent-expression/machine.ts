/** An AgentMachine over plain maps, for tests. */
import type { AgentMachine } from '../../src/agent-expression/evaluate.js';

export interface TestMachine extends AgentMachine {
  readonly printed: string[];
  readonly collected: string[];
  readonly variables: Map<number, bigint>;
}

export function testMachine({
  registers = new Map(),
  memory = [],
  variables = new Map(),
}: {
  registers?: ReadonlyMap<number, bigint>;
  /** Address and bytes in hexadecimal. */
  memory?: readonly (readonly [bigint, string])[];
  variables?: Map<number, bigint>;
} = {}): TestMachine {
  const bytes = new Map<bigint, number>();
  for (const [start, digits] of memory) {
    Buffer.from(digits, 'hex').forEach((byte, i) => {
      bytes.set(start + BigInt(i), byte);
    });
  }
  const printed: string[] = [];
  const collected: string[] = [];
  return {
    printed,
    collected,
    variables,
    readMemory(address, into) {
      for (let i = 0; i < into.length; i++) {
        const byte = bytes.get(address + BigInt(i));
        if (byte === undefined) return false;
        into[i] = byte;
      }
      return true;
    },
    readRegister: (number) => registers.get(number),
    readVariable: (number) => variables.get(number),
    writeVariable: (number, value) => variables.has(number) && variables.set(number, value) === variables,
    print: (text) => void printed.push(text),
    collector: {
      memory: (address, length) => collected.push(`${address.toString(16)}+${length}`) > 0,
      variable: (number) => collected.push(`$${number}`) > 0,
    },
  };
}

/** Bytes written as hexadecimal digits with spaces. */
export function bytecode(digits: string): Uint8Array {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex');
}
