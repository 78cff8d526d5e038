/** Programs and libraries as they are mapped in the machine's address spaces, and what their files say. */

import type { ReadFile } from '../elf/debug-file.js';
import { Module } from '../elf/module.js';
import type { LoadedModule } from '../elf/unwind.js';
import type { AddressSpace } from '../emulator/memory/address-space.js';
import type { BackingFile } from '../emulator/memory/backing-file.js';
import { isRejected } from '../rsp/error-code.js';
import type { HostIo } from '../rsp/target-abilities.js';

export class ModuleMap {
  private readonly modules = new Map<string, Module>();

  constructor(private readonly readFile: ReadFile) {}

  /** The same object for the same file, as long as the session lives. */
  module(file: BackingFile): Module {
    let module = this.modules.get(file.key);
    if (module === undefined) {
      module = new Module(file.path, contents(file), this.readFile);
      this.modules.set(file.key, module);
    }
    return module;
  }

  /** What is mapped at the address, if it is a file with code. */
  loadedAt(space: AddressSpace, address: number): LoadedModule | undefined {
    const vma = space.vmas.find(address);
    const file = vma?.pages?.file;
    if (vma === undefined || file === undefined) return undefined;
    const module = this.module(file);
    const linked = module.elf?.addressOf(address - vma.start + vma.offset);
    return linked === undefined ? undefined : { module, bias: address - linked };
  }

  /** Where this file's byte is mapped; undefined: it is not. */
  addressOfByte(space: AddressSpace, path: string, offset: number): number | undefined {
    for (const { pages, start, end, offset: from } of space.vmas.all()) {
      if (pages?.file?.path !== path || offset < from || offset >= from + (end - start)) continue;
      return start + offset - from;
    }
    return undefined;
  }

  /** Where the variable of this file lies. */
  addressOfData(space: AddressSpace, path: string, name: string): number | undefined {
    for (const { pages, start } of space.vmas.all()) {
      if (pages?.file?.path !== path) continue;
      const loaded = this.loadedAt(space, start);
      const symbol = loaded?.module.symbols.data(name);
      return loaded === undefined || symbol === undefined ? undefined : symbol.address + loaded.bias;
    }
    return undefined;
  }
}

function contents(file: BackingFile): Uint8Array {
  const bytes = new Uint8Array(file.size());
  return bytes.subarray(0, Math.max(0, file.pread(bytes, 0)));
}

/** Reads files as the machine's root sees them. */
export function fileReader(files: HostIo): ReadFile {
  return (path) => {
    const file = files.open(undefined, path, {
      access: 'read',
      append: false,
      create: false,
      truncate: false,
      exclusive: false,
      permissions: 0,
    });
    if (isRejected(file)) return undefined;
    const facts = file.stat();
    const bytes = new Uint8Array(isRejected(facts) ? 0 : Number(facts.size));
    let length = 0;
    while (length < bytes.length) {
      const got = file.read(length, bytes.subarray(length));
      if (typeof got !== 'number' || got === 0) break;
      length += got;
    }
    file.close();
    return bytes.subarray(0, length);
  };
}
