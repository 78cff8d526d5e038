/** Loads a program into a fresh address space: ELF programs of every linkage with the real dynamic linker, and scripts (fs/exec.c, fs/binfmt_elf.c). */
import { pathBytes, pathText } from '../host/path-text.js';
import { E2BIG, ELOOP, ENOENT, ENOEXEC, ENOMEM } from '../kernel/errno.js';
import { credentialsAfterExec } from '../kernel/exec-credentials.js';
import { RLIMIT } from '../kernel/limits.js';
import { AddressSpace } from '../memory/address-space.js';
import { holesFor, LOWEST } from '../memory/placement.js';
import type { Credentials, Image } from '../process.js';
import type {
  ExecutableFile,
  ExecutableSource,
  LoadedProgram,
  LoadFailure,
  LoadRequest,
  ProgramLoader,
} from '../program-loader.js';
import { auxvOf, type Placed, type PlacedObjects } from './auxv.js';
import { type Layout, layoutFor, STATIC_PIE_HEAP } from './layout.js';
import { type ElfProgram, readHead, readProgram } from './program-file.js';
import { interpreterOf, isScript } from './script.js';
import { alignmentOf, extentOf, fits, mapSegments } from './segments.js';
import { buildStack, type FirstStack } from './stack.js';
import { mapVdso } from './vdso.js';

const AT_FDCWD = -100;
/** Scripts that are run by scripts (exec_binprm). */
const MAX_DEPTH = 5;
/** PER_LINUX flags: addresses are not randomised (linux/personality.h). */
const ADDR_NO_RANDOMIZE = 0x4_0000;
const COMM_BYTES = 15;

/** What is executed in the end, after all scripts. */
interface Target {
  readonly file: ExecutableFile;
  readonly argv: readonly Uint8Array[];
}

export class LinuxLoader implements ProgramLoader {
  constructor(private readonly files: ExecutableSource) {}

  load(request: LoadRequest): LoadedProgram | LoadFailure {
    const { machine, process, path, directory, flags } = request;
    const file = this.files.open(machine, process, path, directory, flags);
    if (typeof file === 'number') return { errno: -file };
    const target = this.resolveScripts(request, file);
    if ('errno' in target) return target;
    try {
      return this.loadElf(request, target);
    } finally {
      target.file.file.release();
    }
  }

  /** Follows `#!` lines. The file that is answered has a user; others have been released. */
  private resolveScripts(request: LoadRequest, first: ExecutableFile): Target | LoadFailure {
    const { machine, process } = request;
    let file = first;
    let name = fileName(request);
    let argv = request.argv;
    for (let depth = 0; ; depth++) {
      const head = readHead(machine.pageCache, file);
      if (typeof head !== 'number' && !isScript(head)) return { file, argv };
      file.file.release();
      if (typeof head === 'number') return { errno: -head };
      const interpreter = interpreterOf(head);
      if (interpreter === undefined) return { errno: ENOEXEC };
      if (depth === MAX_DEPTH) return { errno: ELOOP };
      const { path, argument } = interpreter;
      argv = [path, ...(argument === undefined ? [] : [argument]), name, ...argv.slice(1)];
      name = path;
      const opened = this.files.open(machine, process, pathText(path), AT_FDCWD, 0);
      if (typeof opened === 'number') return missing(-opened, file.path, path);
      file = opened;
    }
  }

  private loadElf(request: LoadRequest, { file, argv }: Target): LoadedProgram | LoadFailure {
    const { machine, process } = request;
    const program = readProgram(machine.pageCache, file, machine.abi.facts.elfMachine, 'program');
    if ('errno' in program) return program;
    const linker = this.openLinker(request, program);
    if (linker !== undefined && 'errno' in linker) return linker;
    try {
      const isRandom = machine.config.randomise && (process.personality & ADDR_NO_RANDOMIZE) === 0;
      const layout = layoutFor(stackLimit(request), isRandom ? machine.entropy : undefined);
      return this.place(request, argv, layout, program, linker);
    } finally {
      linker?.file.file.release();
    }
  }

  /** The dynamic linker that the program names, with a user; undefined: it names none. */
  private openLinker({ machine, process }: LoadRequest, program: ElfProgram): ElfProgram | LoadFailure | undefined {
    if (program.interpreter === undefined) return undefined;
    const file = this.files.open(machine, process, pathText(program.interpreter), AT_FDCWD, 0);
    if (typeof file === 'number') return missing(-file, program.file.path, program.interpreter);
    const linker = readProgram(machine.pageCache, file, machine.abi.facts.elfMachine, 'linker');
    if ('errno' in linker) file.file.release();
    return linker;
  }

  private place(
    request: LoadRequest,
    argv: readonly Uint8Array[],
    layout: Layout,
    program: ElfProgram,
    linker: ElfProgram | undefined,
  ): LoadedProgram | LoadFailure {
    const { machine, environ } = request;
    if (stringBytes(argv) + stringBytes(environ) > stackLimit(request) / 2) return { errno: E2BIG };
    const bias = biasOf(program, layout, linker !== undefined);
    if (!fits(program, bias))
      return { errno: ENOMEM, message: `${program.file.path} cannot be run: its addresses are out of bounds` };
    const { from, to } = extentOf(program);
    const holes = holesFor(bias + from, layout.mmapBase);
    const space = AddressSpace.create(machine.pageCache.memory, machine.pageCache, {
      mmapBase: layout.mmapBase,
      holes,
      stackLimit: stackLimit(request),
    });
    if (space === undefined) return { errno: ENOMEM };
    const main: Placed = { program, bias };
    const second = linker && placeLinker(space, linker);
    const isPlaced =
      (linker === undefined) === (second === undefined) &&
      [main, second].every((placed) => {
        return placed === undefined || mapSegments(space, placed.program, placed.bias);
      });
    const vdso = isPlaced ? mapVdso(space) : undefined;
    const objects = vdso === undefined ? undefined : { main, linker: second, vdso };
    const credentials = credentialsAfterExec(machine, request.process, program.file.owner);
    const stack = objects && this.stack(request, space, argv, layout, objects, credentials);
    if (stack === undefined) {
      space.destroy();
      return { errno: ENOMEM };
    }
    setMarks(space, main, stack);
    const isStaticPie = !program.isFixed && linker === undefined;
    const heap = (isStaticPie ? STATIC_PIE_HEAP : bias + to) + layout.brkShift;
    space.marks.startBrk = heap;
    space.marks.brk = heap;
    const { program: started, bias: startedBias } = second ?? main;
    const image: Image = { exe: program.file.path, argv, environ, auxv: stack.auxv };
    return { space, entry: startedBias + started.entry, stack: stack.sp, image, comm: commOf(request), credentials };
  }

  private stack(
    request: LoadRequest,
    space: AddressSpace,
    argv: readonly Uint8Array[],
    layout: Layout,
    objects: PlacedObjects,
    credentials: Credentials,
  ): FirstStack | undefined {
    const { facts } = request.machine.abi;
    const random = new Uint8Array(16);
    request.machine.entropy.fill(random);
    return buildStack(space, {
      top: layout.stackTop,
      limit: stackLimit(request),
      shift: layout.stackShift,
      executable: objects.main.program.executableStack,
      argv,
      environ: request.environ,
      fileName: fileName(request),
      platform: new TextEncoder().encode(facts.platform),
      random,
      auxv: (addresses) => auxvOf(request.machine, credentials, objects, addresses),
    });
  }
}

/** How far a program is moved: not at all, to the usual place, or (without a dynamic linker) to the top of the mappings. */
function biasOf(program: ElfProgram, { programBase, mmapBase }: Layout, hasLinker: boolean): number {
  if (program.isFixed) return 0;
  const { from, to } = extentOf(program);
  const base = hasLinker ? programBase : mmapBase - (to - from);
  return Math.floor(base / alignmentOf(program)) * alignmentOf(program) - from;
}

/** undefined: there is no place for it. */
function placeLinker(space: AddressSpace, program: ElfProgram): Placed | undefined {
  const { from, to } = extentOf(program);
  const at = space.placement.highest(to - from, LOWEST, space.placement.mmapBase);
  if (at === undefined) return undefined;
  const bias = program.isFixed ? 0 : at - from;
  return fits(program, bias) ? { program, bias } : undefined;
}

function setMarks({ marks }: AddressSpace, { program, bias }: Placed, stack: FirstStack): void {
  const executable = program.segments.filter(({ flags }) => flags & 1);
  const code = executable.length > 0 ? executable : program.segments;
  const last = program.segments[program.segments.length - 1];
  marks.startStack = stack.sp;
  marks.code = [
    bias + Math.min(...code.map(({ address }) => address)),
    bias + Math.max(...code.map(({ address, fileBytes }) => address + fileBytes)),
  ];
  marks.data = [bias + last.address, bias + last.address + last.fileBytes];
  marks.arguments = stack.arguments;
  marks.environment = stack.environment;
}

/** bprm->filename: the path as it was given; relative to a descriptor through /dev/fd. */
function fileName({ path, directory }: LoadRequest): Uint8Array {
  const isPlain = directory === AT_FDCWD || path.startsWith('/');
  if (isPlain) return pathBytes(path);
  return pathBytes(path === '' ? `/dev/fd/${directory}` : `/dev/fd/${directory}/${path}`);
}

function commOf(request: LoadRequest): string {
  const name = fileName(request);
  return String.fromCharCode(...name.subarray(name.lastIndexOf(0x2f) + 1).subarray(0, COMM_BYTES));
}

function stackLimit({ process }: LoadRequest): number {
  return process.limits[RLIMIT.STACK]?.soft ?? Number.POSITIVE_INFINITY;
}

function stringBytes(strings: readonly Uint8Array[]): number {
  return strings.reduce((sum, { length }) => sum + length + 1, 0);
}

/** A script or program whose interpreter cannot be opened: the errno alone looks as if the program itself were not there. */
function missing(errno: number, path: string, interpreter: Uint8Array): LoadFailure {
  if (errno !== ENOENT) return { errno };
  return { errno, message: `${path} cannot be run: its interpreter ${pathText(interpreter)} is not there` };
}
