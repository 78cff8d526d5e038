/** One thread of a target as the machine that agent expressions run on. */
import type { AgentMachine } from '../agent-expression/evaluate.js';
import type { GuestState } from './guest-state.js';
import type { ThreadId } from './thread-id.js';

/** Where trace state variables are. */
export interface AgentVariables {
  readVariable(number: number): bigint | undefined;
  writeVariable(number: number, value: bigint): boolean;
}

/** For conditions and commands outside of tracing. */
export const NO_VARIABLES: AgentVariables = { readVariable: () => undefined, writeVariable: () => false };

/** Reads the thread at the moment of each access; valid while the thread stands still. */
export function agentMachine(
  target: GuestState,
  thread: ThreadId,
  { readVariable, writeVariable }: AgentVariables,
  print: (text: string) => void,
): AgentMachine {
  return {
    readMemory: (address, into) => target.readMemory(thread.pid, address, into) === into.length,
    readRegister(number) {
      const row = target.registers(thread.pid)[number];
      if (row === undefined || row.bits > 64) return undefined;
      const value = Buffer.alloc(8);
      return target.readRegister(thread, row, value.subarray(0, row.bits / 8)) ? value.readBigUInt64LE() : undefined;
    },
    readVariable,
    writeVariable,
    print,
  };
}
