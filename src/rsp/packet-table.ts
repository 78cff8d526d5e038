/** Every packet we know, by subject. What is not here gets the empty reply. */
import type { PacketRow } from './packet.js';
import { breakpointPackets } from './packets/breakpoints.js';
import { fileIoPackets } from './packets/file-io.js';
import { hostIoPackets } from './packets/host-io.js';
import { lldbPackets } from './packets/lldb.js';
import { memoryPackets } from './packets/memory.js';
import { monitorPackets } from './packets/monitor.js';
import { nonStopPackets } from './packets/non-stop.js';
import { processPackets } from './packets/process.js';
import { registerPackets } from './packets/registers.js';
import { resumePackets } from './packets/resume.js';
import { sessionPackets } from './packets/session.js';
import { settingsPackets } from './packets/settings.js';
import { threadPackets } from './packets/threads.js';
import { tracepointPackets } from './packets/tracepoints.js';
import { xferPackets } from './packets/xfer.js';

export const PACKETS: readonly PacketRow[] = [
  ...sessionPackets,
  ...threadPackets,
  ...registerPackets,
  ...memoryPackets,
  ...resumePackets,
  ...breakpointPackets,
  ...processPackets,
  ...xferPackets,
  ...hostIoPackets,
  ...fileIoPackets,
  ...settingsPackets,
  ...nonStopPackets,
  ...monitorPackets,
  ...tracepointPackets,
  ...lldbPackets,
];
