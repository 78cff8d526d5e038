/** What execve asks of the loader (loader/exec.ts implements it): a fresh address space with a program in it, or why not. */
import type { Image, Process, ProcessSpace } from './process.js';

export interface LoadRequest {
  /** For whom: working directory, root, descriptors, credentials and limits count. It is not changed. */
  readonly process: Process;
  /** As the program gave it, bytes read as UTF-8; empty with AT_EMPTY_PATH. */
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
}

/** `errno` positive; `message` is one line for a person, where the errno alone says too little (truncated ELF, 32-bit ELF). */
export interface LoadFailure {
  readonly errno: number;
  readonly message?: string;
}

export interface ProgramLoader {
  load(request: LoadRequest): LoadedProgram | LoadFailure;
}
