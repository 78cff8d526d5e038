/**
 * Where a session's probes are: a place is looked for in every file that is mapped, now and later, and the probe put wherever it is found.
 */

import type { Machine } from '../emulator/machine.js';
import { AddressSpace } from '../emulator/memory/address-space.js';
import type { BackingFile } from '../emulator/memory/backing-file.js';
import type { Process } from '../emulator/process.js';
import type { BoundEngine } from '../inferior/probe-engine.js';
import { hex } from '../types.js';
import type { Caller } from '../uprobes/port.js';
import { type ProbeError, probeError } from '../uprobes/probe-error.js';
import type { FileProbe, HandlerResult, Hit, ProbeHandlers, Uprobe } from '../uprobes/uprobe.js';
import { returnValue } from './arguments.js';
import type { ModuleMap } from './module-map.js';
import { isModule, type ProbePlace } from './probe-spec.js';
import type { ProbeOptions, SessionProbe } from './session-probe.js';
import { nameOf, type ProbeSite, sitesOf } from './sites.js';

type FilePlace = Exclude<ProbePlace, { kind: 'address' }>;

export interface PlacementParts {
  readonly machine: Machine;
  readonly bound: BoundEngine;
  /** The program. */
  readonly process: Process;
  readonly caller: Caller;
  readonly modules: ModuleMap;
}

export class Placement {
  private readonly probes = new Set<SessionProbe>();
  private readonly seenFiles = new Set<string>();

  constructor(private readonly parts: PlacementParts) {}

  /** This file is mapped, perhaps for the first time. */
  sawFile(file: BackingFile | undefined): void {
    if (file === undefined || this.seenFiles.has(file.key)) return;
    this.seenFiles.add(file.key);
    for (const probe of this.probes) if (probe.place.kind !== 'address') this.look(probe, probe.place, file);
  }

  private mappedFiles(): Iterable<BackingFile> {
    const files = new Map<string, BackingFile>();
    for (const { space } of this.parts.machine.processes.values()) {
      if (!(space instanceof AddressSpace)) continue;
      for (const { pages } of space.vmas.all()) if (pages?.file !== undefined) files.set(pages.file.key, pages.file);
    }
    for (const key of files.keys()) this.seenFiles.add(key);
    return files.values();
  }

  /** Puts the probe wherever its place is found. */
  put(probe: SessionProbe, place: ProbePlace, { follow }: ProbeOptions): ProbeError | undefined {
    if (place.kind === 'address') return this.atAddress(probe, place.address);
    this.probes.add(probe);
    for (const file of this.mappedFiles()) this.look(probe, place, file);
    // The program is mapped: what it does not have now it will not have, unless it is a child that execs.
    const isOwn = place.kind !== 'usdt' && place.module === undefined && follow !== true;
    if (!isOwn || probe.sites.size > 0 || probe.refusals.length > 0) return undefined;
    const why = probe.missing.get(this.parts.process.image.exe) ?? 'it is not mapped';
    return probeError('EINVAL', `${why}${this.elsewhere(place)}`);
  }

  /** A library's function asked for without the library's name. */
  private elsewhere(place: FilePlace): string {
    if (place.kind !== 'symbol' || place.offset !== 0 || place.symbol.includes('.')) return '';
    return `; of a library: LIBRARY:${place.symbol}, such as libc:${place.symbol}, or *:${place.symbol} for any`;
  }

  private atAddress(probe: SessionProbe, vaddr: number): ProbeError | undefined {
    const site: ProbeSite = {
      file: '',
      offset: 0,
      address: undefined,
      name: hex(vaddr),
      operands: undefined,
      semaphore: undefined,
      isResolver: false,
    };
    const uprobe: Uprobe = {
      pid: this.parts.process.pid,
      vaddr,
      ...bindSite(probe, site),
      registrationCallback: refusedLater(probe, site),
    };
    const error = this.parts.bound.engine.register(this.parts.caller, uprobe);
    if (error !== undefined && error.name !== 'EINPROGRESS') return error;
    probe.sites.add(site);
    probe.registered.add(uprobe);
    return undefined;
  }

  private look(probe: SessionProbe, place: FilePlace, file: BackingFile): void {
    if (!this.concerns(place, file)) return;
    const sites = sitesOf(place, this.parts.modules.module(file));
    if (typeof sites === 'string') probe.missing.set(file.path, sites);
    else for (const site of sites) this.atSite(probe, file, site);
  }

  private concerns({ kind, module }: FilePlace, { path }: BackingFile): boolean {
    if (module !== undefined) return isModule(path, module);
    return kind === 'usdt' || path === this.parts.process.image.exe;
  }

  private atSite(probe: SessionProbe, file: BackingFile, site: ProbeSite): void {
    const handlers = site.isResolver ? this.atResolver(probe) : bindSite(probe, site);
    const fileProbe: FileProbe = {
      file: { dev: file.device, ino: file.inode },
      offset: site.offset,
      fileSize: file.size(),
      ...(site.semaphore === undefined ? {} : { refCounterOffset: site.semaphore }),
      ...handlers,
      registrationCallback: refusedLater(probe, site),
    };
    const error = this.parts.bound.engine.registerFile(this.parts.caller, fileProbe);
    if (error !== undefined && error.name !== 'EINPROGRESS') {
      probe.refusals.push({ site, error });
      return;
    }
    if (!site.isResolver) probe.sites.add(site);
    probe.registered.add(fileProbe);
  }

  /** The function is chosen when the program is loaded: what the choice returns is probed. */
  private atResolver(probe: SessionProbe): ProbeHandlers {
    return {
      retHandler: (hit) => {
        const { space } = this.parts.bound.port.processes().find(({ pid }) => pid === hit.thread.process.pid) ?? {};
        const address = Number(returnValue(hit));
        const vma = space?.own.vmas.find(address);
        const file = vma?.pages?.file;
        if (vma === undefined || file === undefined) return;
        const offset = address - vma.start + vma.offset;
        if ([...probe.sites].some((site) => site.file === file.path && site.offset === offset)) return;
        const module = this.parts.modules.module(file);
        const linked = module.elf?.addressOf(offset);
        const name = (linked === undefined ? undefined : nameOf(module, linked)) ?? hex(address);
        this.atSite(probe, file, {
          file: file.path,
          offset,
          address: linked,
          name,
          operands: undefined,
          semaphore: undefined,
          isResolver: false,
        });
      },
      wantsProbe: (thread) => probe.handlers.wantsProbe?.(thread) ?? true,
    };
  }

  /** Takes it away; `sync`: resolves when no handler of it runs. */
  async drop(probe: SessionProbe, sync: boolean): Promise<void> {
    this.probes.delete(probe);
    const { engine } = this.parts.bound;
    const registered = [...probe.registered];
    probe.registered.clear();
    if (sync) await Promise.all(registered.map((one) => engine.unregisterSync(one)));
    else for (const one of registered) engine.unregister(one);
  }
}

/** A handler has asked for the probe: it follows when the instruction of the handler's hit is over. */
function refusedLater(probe: SessionProbe, site: ProbeSite): NonNullable<ProbeHandlers['registrationCallback']> {
  return (_, outcome) => {
    if (outcome !== undefined) probe.refusals.push({ site, error: outcome });
  };
}

/** The probe's handlers at one of its places. */
function bindSite(probe: SessionProbe, site: ProbeSite): ProbeHandlers {
  const { handlers } = probe;
  const { wantsProbe } = handlers;
  const onEntry = (hit: Hit): HandlerResult | Promise<HandlerResult> => {
    probe.count(site);
    return handlers.handler?.(hit, site) ?? 'continue';
  };
  const onReturn = (hit: Hit): void | Promise<void> => {
    if (handlers.handler === undefined) probe.count(site);
    return handlers.retHandler?.(hit, site);
  };
  const onlyCounts = handlers.handler === undefined && handlers.retHandler === undefined;
  return {
    ...(onlyCounts ? { counter: probe.counterOf(site) } : {}),
    ...(onlyCounts || handlers.when === undefined ? {} : { when: handlers.when }),
    ...(handlers.handler === undefined ? {} : { handler: onEntry }),
    ...(handlers.retHandler === undefined ? {} : { retHandler: onReturn }),
    ...(wantsProbe === undefined ? {} : { wantsProbe: (thread) => wantsProbe(thread) }),
  };
}
