/** Tracepoints in the program: collect consumers of the probe engine that feed the recorder (rsp/tracing), and the steps behind a hit. */
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { ESRCH, type Rejected, rejected } from '../rsp/error-code.js';
import type { TracepointSite, TracepointSites, TraceRecorder } from '../rsp/tracing/trace-recorder.js';
import type { Debugged } from './debugged.js';
import type { PlantedProbe, ProbeSites } from './probe-hooks.js';

export class TraceSites implements TracepointSites {
  private readonly planted = new Map<string, PlantedProbe>();
  /** Set once the recorder exists, which needs us to exist. */
  recorder: TraceRecorder | undefined;

  constructor(
    private readonly debugged: Debugged,
    private readonly sites: ProbeSites,
  ) {}

  insert(site: TracepointSite): Rejected | undefined {
    const process: Process | undefined = this.debugged.get(site.pid)?.process;
    if (process === undefined) return rejected(ESRCH);
    const probe = this.sites.plantCollector(process, Number(site.address), {
      unless: site.condition,
      collect: (thread) => this.hit(thread, site),
    });
    if ('errno' in probe) return probe;
    this.planted.set(keyOf(site), probe);
    return undefined;
  }

  remove(site: TracepointSite): void {
    this.planted.get(keyOf(site))?.withdraw();
    this.planted.delete(keyOf(site));
  }

  /** The thread goes on, stepping if the tracepoint looks at what comes next. */
  private hit(thread: Thread, { pid, number, address }: TracepointSite): void {
    if (thread.process.pid !== pid) return;
    const steps = this.recorder?.hit(this.debugged.idOf(thread), number, address) ?? 0;
    if (steps === 0) return;
    const { traceSteps } = this.debugged.record(thread);
    traceSteps.push({ number, address, left: steps, action: traceSteps[0]?.action ?? thread.action });
    thread.action = { kind: 'step' };
  }

  /** One step is done. True: it was for us, and the client does not hear of it. */
  stepped(thread: Thread): boolean {
    const record = this.debugged.record(thread);
    const [first] = record.traceSteps;
    if (first === undefined) return false;
    for (const steps of record.traceSteps) {
      steps.left--;
      this.recorder?.stepped(this.debugged.idOf(thread), steps.number, steps.address, steps.left === 0);
    }
    record.traceSteps = record.traceSteps.filter(({ left }) => left > 0);
    const { action } = first;
    const { rip } = thread.cpu;
    const clientsStepIsDone =
      action.kind === 'step' || (action.kind === 'range' && (rip < action.start || rip >= action.end));
    if (clientsStepIsDone) record.traceSteps = [];
    else thread.action = record.traceSteps.length > 0 ? { kind: 'step' } : action;
    return !clientsStepIsDone;
  }
}

function keyOf({ pid, number, address }: TracepointSite): string {
  return `${pid} ${number} ${address}`;
}
