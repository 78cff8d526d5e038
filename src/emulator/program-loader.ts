/** What execve asks of the loader (loader/exec.ts implements it): a fresh address space with a program in it, or why not. */
import type { FileOwner } from './kernel/exec-credentials.js';
import type { Machine } from './machine.js';
import type { BackingFile } from './memory/backing-file.js';
import type { Credentials, Image, Process, ProcessSpace } from './process.js';

export interface LoadRequest {
  readonly machine: Machine;
  /** For whom: working directory, root, descriptors, credentials and limits count. It is not changed. */
  readonly process: Process;
  /** As the program gave it, as text (host/path-text.ts); empty with AT_EMPTY_PATH. */
  readonly path: string;
  /** Descriptor that a relative path starts from; AT_FDCWD (-100) for execve. */
  readonly directory: number;
  /** AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
  readonly flags: number;
  readonly argv: readonly Uint8Array[];
  readonly environ: readonly Uint8Array[];
}

export interface LoadedProgram {
  readonly space: ProcessSpace;
  readonly entry: number;
  readonly stack: number;
  readonly image: Image;
  /** Last part of the path that was executed, at most 15 bytes, one character a byte. */
  readonly comm: string;
  readonly credentials: Credentials;
}

/** `errno` positive; `message` is one line for a person, where the errno alone says too little (truncated ELF, 32-bit ELF). */
export interface LoadFailure {
  readonly errno: number;
  readonly message?: string;
}

export interface ProgramLoader {
  load(request: LoadRequest): LoadedProgram | LoadFailure;
}

/** A file opened for execution. */
export interface ExecutableFile {
  /** With one user, whom the loader releases. */
  readonly file: BackingFile;
  /** Absolute guest path with symbolic links resolved: what /proc/PID/exe points to. */
  readonly path: string;
  readonly owner: FileOwner;
}

/**
 * How the loader reaches files (kernel/file/ implements it): the program itself, the interpreters of scripts, the PT_INTERP of a dynamic program.
 * As do_open_execat does: the path is resolved for the process (working directory, root, `directory`, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW); only a regular
 * file that the process may execute is opened, everything else is EACCES; ENOENT, ENOTDIR, ELOOP and the like come from the walk.
 */
export interface ExecutableSource {
  /** The file or -errno. */
  open(machine: Machine, process: Process, path: string, directory: number, flags: number): ExecutableFile | number;
}
