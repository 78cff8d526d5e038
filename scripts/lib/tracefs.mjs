// Kernel uprobes through tracefs: events are defined, switched on in a trace instance of their own, and read back. Root only.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/kernel/tracing';
/** KiB for each processor: an event of the zoo with all its registers takes 200 bytes. */
const BUFFER = 65_536;

/** Why the kernel's uprobes cannot be used here; undefined: they can. */
export function kernelRefuses() {
  if (process.getuid() !== 0) return 'kernel uprobes need root';
  if (!existsSync(join(ROOT, 'README'))) spawnSync('mount', ['-t', 'tracefs', 'nodev', ROOT]);
  if (!existsSync(join(ROOT, 'README'))) return `tracefs is not mounted at ${ROOT}, and cannot be (mount -t tracefs nodev ${ROOT})`;
  if (!existsSync(join(ROOT, 'uprobe_events'))) return 'this kernel has no uprobe events (CONFIG_UPROBE_EVENTS)';
  return undefined;
}

/** Linux's positive errno of a failed write, 524 (ENOTSUPP) included; 0: it worked. */
function write(path, text, append = false) {
  const fd = openSync(path, append ? 'a' : 'w');
  try {
    writeSync(fd, text);
    return 0;
  } catch (error) {
    return -error.errno;
  } finally {
    closeSync(fd);
  }
}

/** One group of events and the instance that records them. `close` takes both away again. */
export class KernelProbes {
  constructor() {
    this.group = `sidestep${process.pid}`;
    this.instance = join(ROOT, 'instances', this.group);
    mkdirSync(this.instance);
    writeFileSync(join(this.instance, 'buffer_size_kb'), String(BUFFER));
    writeFileSync(join(this.instance, 'trace_clock'), 'mono');
    this.defined = [];
  }

  /** `args`: perf probe's, such as `size=%di:u64`. 0 or errno. */
  define({ name, file, offset, returns = false, args = [] }) {
    const line = `${returns ? 'r' : 'p'}:${this.group}/${name} ${file}:0x${offset.toString(16)} ${args.join(' ')}\n`;
    const error = write(join(ROOT, 'uprobe_events'), line, true);
    if (error === 0) this.defined.push(name);
    return error;
  }

  /** Switches one event on: 0, or why its instruction cannot be probed where a process has it mapped. */
  enable(name) {
    return write(join(this.instance, 'events', this.group, name, 'enable'), '1');
  }

  disable(name) {
    return write(join(this.instance, 'events', this.group, name, 'enable'), '0');
  }

  /** Everything that was recorded, in order: {pid, name, address, values}. Throws when the buffer was too small. */
  events() {
    for (const cpu of readdirSync(join(this.instance, 'per_cpu'))) {
      const stats = readFileSync(join(this.instance, 'per_cpu', cpu, 'stats'), 'utf8');
      const lost = /^overrun: (\d+)/m.exec(stats)?.[1];
      if (lost !== '0') throw new Error(`${lost} events were lost on ${cpu}`);
    }
    const lines = readFileSync(join(this.instance, 'trace'), 'utf8').split('\n');
    return lines.filter((line) => line !== '' && !line.startsWith('#')).map(parse);
  }

  clear() {
    writeFileSync(join(this.instance, 'trace'), '');
  }

  close() {
    for (const name of this.defined) this.disable(name);
    for (const name of this.defined) write(join(ROOT, 'uprobe_events'), `-:${this.group}/${name}\n`, true);
    rmdirSync(this.instance);
  }
}

/** `  ls-123  [000] DNZff  12.5: malloc: (0x7f00 <- 0x4000) size=32` */
function parse(line) {
  const found = /-(\d+)\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+): \((0x[0-9a-f]+)(?: <- 0x[0-9a-f]+)?\)(.*)$/.exec(line);
  if (found === null) throw new Error(`not understood: ${line}`);
  const [, pid, name, address, rest] = found;
  const values = [...rest.matchAll(/ \w+=(\S+)/g)].map(([, value]) => BigInt.asUintN(64, BigInt(value)));
  return { pid: Number(pid), name, address: BigInt(address), values };
}

const HOLDER = `
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || mmap(0, 1 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) return 1;
    puts("mapped");
    fflush(stdout);
    pause();
}`;

/** A process that maps the file for execution until `kill` is called: the kernel looks at a probed instruction when somebody has it mapped. */
export async function holdMapped(file, folder) {
  const program = join(folder, 'holder');
  spawnSync('gcc', ['-x', 'c', '-o', program, '-'], { input: HOLDER, stdio: ['pipe', 'inherit', 'inherit'] });
  const child = spawn(program, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error(`${file} cannot be mapped`)));
  });
  return child;
}

/** Runs a program without address space randomisation and waits for it. */
export function runNatively([path, ...args], { environment, directory, output }) {
  const stdout = openSync(output, 'w');
  const child = spawn('setarch', ['-R', 'env', '-i', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`), path, ...args], {
    cwd: directory,
    stdio: ['ignore', stdout, stdout],
  });
  closeSync(stdout);
  return new Promise((resolve) => child.on('exit', (code, signal) => resolve({ pid: child.pid, status: signal ?? code })));
}
