/**
 * The engine in another emulator: everything that it needs is the port (HostThread, HostProcess, HostSpace, HostSettings). This host is as small as one
 * can be: it knows six instructions, one process, one thread, and runs `sum(n)`, which adds the numbers from n to 1. `scripts/example other-host`
 */
import {
  type Caller,
  GPR,
  type HostProcess,
  type HostSettings,
  type HostSpace,
  type HostThread,
  type HostVma,
  type Pid,
  type StepEnd,
  type Tid,
  UprobeEngine,
} from 'sidestep/uprobes';

const TEXT = 0x40_0000;
const STACK = 0x50_0000;
/** Pages that the program never sees: the engine's slots. */
const HOLE = 0x41_0000;
const PAGE = 4096;
const INT3 = 0xcc;

//  main: call sum; hlt        sum: xor eax, eax; loop: add rax, rdi; dec rdi; jnz loop; ret
const CODE = Buffer.from('e801000000 f4 31c0 4801f8 48ffcf 75f8 c3'.replaceAll(' ', ''), 'hex');
const SUM = TEXT + 6;
const LOOP = TEXT + 8;

class Space implements HostSpace {
  private readonly pages = new Map<number, Uint8Array>([
    [TEXT, new Uint8Array(PAGE)],
    [STACK, new Uint8Array(PAGE)],
  ]);
  private readonly swbps = new Set<number>();

  constructor() {
    this.pages.get(TEXT)?.set(CODE);
  }

  /** What the processor would execute: the breakpoint where there is one. */
  fetch(address: number): number {
    return this.swbps.has(address) ? INT3 : this.byte(address);
  }

  private byte(address: number): number {
    const byte = this.pages.get(address - (address % PAGE))?.[address % PAGE];
    if (byte === undefined) throw new Error(`nothing is mapped at 0x${address.toString(16)}`);
    return byte;
  }

  read(address: number, into: Uint8Array): number {
    for (let i = 0; i < into.length; i++) {
      const page = this.pages.get(address + i - ((address + i) % PAGE));
      if (page === undefined) return i;
      into[i] = page[(address + i) % PAGE] as number;
    }
    return into.length;
  }

  write(address: number, bytes: Uint8Array): boolean {
    const page = this.pages.get(address - (address % PAGE));
    page?.set(bytes, address % PAGE);
    return page !== undefined;
  }

  store(address: number, bytes: Uint8Array): boolean {
    return this.write(address, bytes);
  }

  insertSwbp(address: number): boolean {
    this.swbps.add(address);
    return true;
  }

  removeSwbp(address: number): boolean {
    return this.swbps.delete(address);
  }

  isExecutable(address: number): boolean {
    return address >= TEXT && address < TEXT + PAGE;
  }

  vma(address: number): HostVma | undefined {
    return this.vmas().find(({ start, end }) => address >= start && address < end);
  }

  vmas(): readonly HostVma[] {
    const vma = (start: number, executable: boolean): HostVma => ({
      start,
      end: start + PAGE,
      readable: true,
      writable: !executable,
      executable,
      mayExecute: executable,
      shared: false,
      offset: 0,
    });
    return [vma(TEXT, true), vma(STACK, false)];
  }

  mapXol(): number | undefined {
    if (this.pages.has(HOLE)) return undefined;
    this.pages.set(HOLE, new Uint8Array(PAGE).fill(INT3));
    return HOLE;
  }

  writeXol(address: number, bytes: Uint8Array): void {
    this.write(address, bytes);
  }

  inXolHole(address: number): boolean {
    return address >= HOLE && address < HOLE + PAGE;
  }

  freeze(): void {}
  thaw(): void {}
}

class Thread implements HostThread {
  readonly tid = 1 as Tid;
  readonly alive = true;
  readonly stepping = false;
  readonly trapFlag = false;
  displaced = false;
  unfinished = false;
  fip = 0;
  ip = TEXT;
  parked = 0;
  retired = 0;
  private flags = 0x202;
  private readonly gprs = new BigUint64Array(16);

  constructor(readonly process: Process) {
    this.gprs[GPR.RSP] = BigInt(STACK + PAGE);
  }

  get sp(): number {
    return Number(this.gprs[GPR.RSP]);
  }

  readGpr(hardware: number): bigint {
    return this.gprs[hardware] as bigint;
  }

  writeGpr(hardware: number, value: bigint): void {
    this.gprs[hardware] = value;
  }

  readFlags(): number {
    return this.flags;
  }

  writeFlags(flags: number): void {
    this.flags = flags;
  }

  /** Only conditions of debuggers ask. */
  readRegister(): undefined {
    return undefined;
  }

  agentMachine(): never {
    throw new Error('this host has no debugger');
  }

  account(count: number): void {
    this.retired += count;
  }

  park(): void {
    this.parked++;
  }

  unpark(): void {
    this.parked--;
  }

  /** One instruction of the six. */
  step(): StepEnd {
    const { space } = this.process;
    const opcode = [0, 1, 2].map((i) => space.fetch(this.ip + i));
    const relative = (at: number, size: 1 | 4): number => {
      const bytes = Buffer.alloc(4);
      space.read(this.ip + at, bytes.subarray(0, size));
      return size === 1 ? bytes.readInt8() : bytes.readInt32LE();
    };
    const result = (register: number, value: bigint, length: number): void => {
      this.gprs[register] = value;
      this.flags = (this.flags & ~0x40) | (BigInt.asUintN(64, value) === 0n ? 0x40 : 0);
      this.ip += length;
    };
    const word = new DataView(new ArrayBuffer(8));
    if (opcode[0] === INT3) return { kind: 'breakpoint' };
    if (opcode[0] === 0xf4) return { kind: 'syscall' };
    if (opcode[0] === 0xe8) {
      this.gprs[GPR.RSP] = BigInt(this.sp - 8);
      word.setBigUint64(0, BigInt(this.ip + 5), true);
      space.store(this.sp, new Uint8Array(word.buffer));
      this.ip += 5 + relative(1, 4);
    } else if (opcode[0] === 0xc3) {
      space.read(this.sp, new Uint8Array(word.buffer));
      this.gprs[GPR.RSP] = BigInt(this.sp + 8);
      this.ip = Number(word.getBigUint64(0, true));
    } else if (opcode[0] === 0x75) this.ip += 2 + ((this.flags & 0x40) === 0 ? relative(1, 1) : 0);
    // The jump that leads back from a boosted slot.
    else if (opcode[0] === 0xe9) this.ip += 5 + relative(1, 4);
    else if (opcode[0] === 0x31) result(GPR.RAX, 0n, 2);
    else if (opcode[1] === 0x01) result(GPR.RAX, this.readGpr(GPR.RAX) + this.readGpr(GPR.RDI), 3);
    else if (opcode[1] === 0xff) result(GPR.RDI, this.readGpr(GPR.RDI) - 1n, 3);
    else throw new Error(`unknown instruction ${opcode}`);
    this.retired++;
    return { kind: 'fuel' };
  }
}

class Process implements HostProcess {
  readonly pid = 1 as Pid;
  readonly alive = true;
  readonly space = new Space();
  readonly thread = new Thread(this);

  threads(): readonly Thread[] {
    return [this.thread];
  }
}

class TinyHost implements HostSettings {
  readonly process = new Process();
  /** The jump that ends a boosted slot is counted like any other instruction. */
  readonly returnJumpWeight = 1;
  readonly engine = new UprobeEngine(this);

  processes(): readonly Process[] {
    return [this.process];
  }

  /** Until the program halts, or its thread sleeps in a handler. */
  run(): 'halted' | 'parked' {
    const { thread } = this.process;
    for (;;) {
      if (thread.parked > 0) return 'parked';
      let end = thread.step();
      if (end.kind === 'fuel') continue;
      if (thread.displaced) end = this.engine.settle(thread, end);
      if (end.kind === 'fuel') continue;
      const answer = end.kind === 'breakpoint' ? this.engine.breakpoint(thread) : end;
      if (answer === 'resume' || answer === 'park') continue;
      if (typeof answer === 'object' && answer.kind === 'fuel') continue;
      if (typeof answer === 'object' && answer.kind === 'syscall') return 'halted';
      throw new Error(`the program ended with ${JSON.stringify(answer)}`);
    }
  }
}

const host = new TinyHost();
const { engine, process: guest } = host;
const caller: Caller = { resolve: (pid) => (pid === 1 ? guest : undefined), mayProbe: () => true, privileged: true };
let rounds = 0;
engine.register(caller, { pid: 1, vaddr: LOOP, handler: () => (++rounds > 0 ? 'continue' : 'remove') });
engine.register(caller, {
  pid: 1,
  vaddr: SUM,
  async handler(hit) {
    hit.cookie = hit.get(GPR.RDI);
    return 'continue' as const;
  },
  retHandler: (hit) => console.log(`sum(${hit.cookie}) = ${hit.get(GPR.RAX)}`),
});
console.log(engine.register(caller, { pid: 1, vaddr: STACK, handler: () => 'continue' })?.reason);

guest.thread.writeGpr(GPR.RDI, 100n);
// The asynchronous handler's thread sleeps: somebody else could run meanwhile.
while (host.run() === 'parked') await new Promise((resolve) => setImmediate(resolve));
const { executed, hits } = engine.report().statistics;
console.log(
  `${rounds} rounds, ${hits} hits: ${executed.emulate} emulated, ${executed.boost} boosted, ${executed.xol} stepped`,
);
console.log(`${guest.thread.retired} instructions, the probed ones once`);
