/** Packets as gdb and lldb send them, and what becomes of them in bad hands. Bodies are latin-1 strings. */
import { PACKETS } from '../../src/rsp/packet-table.js';
import type { Random } from './random.js';

const SENT: readonly string[] = [
  'qSupported:multiprocess+;swbreak+;hwbreak+;fork-events+;vContSupported+;error-message+;xmlRegisters=i386', 'vMustReplyEmpty', '!', 'Hgp0.0', 'Hg1234',
  'Hc-1', 'qXfer:features:read:target.xml:0,1000', 'qXfer:threads:read::0,1000', 'qXfer:auxv:read::0,1000', 'qXfer:libraries-svr4:read:start=0;prev=0;:0,1000',
  'qXfer:siginfo:read::0,80', 'qXfer:siginfo:write::0:\x05\x00', 'qXfer:osdata:read:processes:0,1000', 'QNonStop:0', 'QNonStop:1', 'vStopped', 'vCtrlC', 'qTStatus',
  '?', 'qC', 'qAttached:1234', 'g', `G${'00'.repeat(40)}`, 'p10', 'P1=0000000000000000', 'm400000,40', 'M400000,2:cccc', 'X400000,2:\x01\x02', 'x400000,10',
  'Z0,400010,1', 'Z0,400010,1;X3,220127', 'Z0,400010,1;X3,220127;cmds:1,X3,220127', 'z0,400010,1', 'Z2,401000,8', 'Z3,401000,1', 'Z4,401000,4', 'z2,401000,8',
  'vCont?', 'vCont;c', 'vCont;s:p1234.1234;c', 'vCont;r400000,400010:p1234.1234', 'vCont;C0b:p1234.1234;t', 'c', 's', 'C05', 'S05', 'T1234', 'D;1234', 'k', 'vKill;1234',
  'vRun;2f62696e2f70726f67;61', 'vAttach;77', 'R00', 'QPassSignals:e;14;17', 'QProgramSignals:0;1', 'QCatchSyscalls:1;3c', 'QThreadEvents:1', 'QThreadSuffixSupported',
  'QListThreadsInStopReply', 'QEnableErrorStrings', 'qHostInfo', 'qProcessInfo', 'qMemoryRegionInfo:400000', 'jThreadsInfo', 'qThreadStopInfo1234', '_M1000,rwx', '_m10000',
  'QSaveRegisterState;thread:1234;', 'QRestoreRegisterState:1;thread:1234;', 'qShlibInfoAddr', 'vFile:setfs:0', 'vFile:open:2f62696e2f70726f67,0,0', 'vFile:pread:0,1000,0',
  'vFile:pwrite:0,0,abc', 'vFile:fstat:0', 'vFile:close:0', 'vFile:readlink:2f70726f63', 'vFile:unlink:2f78', 'qRcmd,68656c70', 'qSearch:memory:400000;1000;abc', 'qCRC:400000,100',
  'qGetTLSAddr:p1234.1234,10,7000', 'qfThreadInfo', 'qsThreadInfo', 'qThreadExtraInfo,p1234.1234', 'QTinit', 'QTDP:1:400010:E:0:0', 'QTDP:-1:400010:R0fff', 'QTStart', 'QTStop',
  'QTFrame:0', 'qTfP', 'qTsP', 'qTBuffer:0,1000', 'QTDV:1:5:0:6869', 'QEnvironmentHexEncoded:413d62', 'QSetWorkingDir:2f', 'QStartupWithShell:1', 'QDisableRandomization:0',
]; // biome-ignore format: a list

const NUMBERS = [
  '0',
  '1',
  '-1',
  'ffffffff',
  'ffffffffffffffff',
  '10000000000000000',
  '7fffffffffffffff',
  '400000',
  '800000000000',
  'p1234.1234',
  'p-1.-1',
  'zz',
];
const MARKS = [...',;:.=+-#$}*?'];

/** One packet: as it should be, or with something in it changed, doubled, taken out or put in. */
export function anyPacket(random: Random): string {
  let body = random.below(4) === 0 ? random.of(PACKETS).prefix + random.of(['', ':', ';', ',']) : random.of(SENT);
  for (let changes = random.below(4); changes > 0; changes--) body = changed(body, random);
  return body;
}

function changed(body: string, random: Random): string {
  const at = random.below(body.length + 1);
  switch (random.below(6)) {
    case 0:
      return body.slice(0, at);
    case 1:
      return body.slice(0, at) + random.of(MARKS) + body.slice(at);
    case 2:
      return body.replace(/[0-9a-f]+/, () => random.of(NUMBERS));
    case 3:
      return body.slice(0, at) + String.fromCharCode(random.below(256)) + body.slice(at + 1);
    case 4:
      return body + random.of(MARKS) + random.of(NUMBERS);
    default:
      return body + body.slice(at);
  }
}
