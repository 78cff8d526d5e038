/**
 * The value of our `qSupported` reply: what the rows that this target can serve advertise, and what is no packet of its own. So nothing can
 * be advertised that is missing.
 */
import { PACKET_SIZE, type PacketRow } from './packet.js';
import type { DisablablePacket } from './session-types.js';
import type { Target } from './target.js';

interface FeatureRow {
  readonly text: string;
  offered(target: Target): boolean;
}

const always = (): boolean => true;

const FEATURES: readonly FeatureRow[] = [
  { text: 'multiprocess+', offered: always },
  { text: 'augmented-libraries-svr4-read+', offered: always },
  { text: 'swbreak+', offered: ({ breakpoints }) => breakpoints?.kinds.has('software') === true },
  { text: 'hwbreak+', offered: ({ breakpoints }) => breakpoints?.kinds.has('hardware') === true },
  { text: 'ConditionalBreakpoints+', offered: ({ breakpoints }) => breakpoints !== undefined },
  { text: 'BreakpointCommands+', offered: ({ breakpoints }) => breakpoints !== undefined },
  { text: 'QNonStop+', offered: ({ nonStop }) => nonStop !== undefined },
  { text: 'QThreadEvents+', offered: ({ events }) => events?.kinds.has('threads') === true },
  { text: 'fork-events+', offered: ({ events }) => events?.kinds.has('fork') === true },
  { text: 'vfork-events+', offered: ({ events }) => events?.kinds.has('vfork') === true },
  { text: 'exec-events+', offered: ({ events }) => events?.kinds.has('exec') === true },
  { text: 'no-resumed+', offered: ({ events }) => events?.kinds.has('no-resumed') === true },
];

/** The rows that this target can serve. */
export function servableRows(
  rows: readonly PacketRow[],
  target: Target,
  disabled: ReadonlySet<DisablablePacket>,
): readonly PacketRow[] {
  return rows.filter(({ needs, disabledBy }) => {
    return (
      (needs === undefined || target[needs] !== undefined) && (disabledBy === undefined || !disabled.has(disabledBy))
    );
  });
}

/** `servable`: what servableRows gave. */
export function supportedFeatures(servable: readonly PacketRow[], target: Target): string {
  const ofRows = servable.map(({ advertises }) => advertises).filter((text) => text !== undefined);
  const others = FEATURES.filter(({ offered }) => offered(target)).map(({ text }) => text);
  return [`PacketSize=${PACKET_SIZE.toString(16)}`, ...new Set(ofRows), ...others].join(';');
}
