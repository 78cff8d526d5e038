/**
 * Conditions as gdb 13.1 compiled them for one stop in `hot`, with the value that gdb itself computed there.
 *
 *     struct S { int a:5; unsigned b:7; long c; struct S *next; };
 *     struct S g = {3, 9, 77, &g}; int gi = -5; unsigned gu = 7; long gl = 1L<<40; char gc='x'; short gs=-3;
 *     unsigned char guc=200; char *str="hi"; int arr[4]={1,2,3,4}; long gz = 0;
 *     int hot(int i, long j, struct S *p) { int k = i*2; ... }       stopped with i=1, j=2, p=&g, k=2
 */
export interface RecordedCondition {
  readonly source: string;
  readonly bytecode: string;
  /** As a signed number; undefined where gdb reports an error. */
  readonly value: bigint | undefined;
}

/** Remote register number -> value: rbp, rsp, rip. */
export const RECORDED_REGISTERS: ReadonlyMap<number, bigint> = new Map([
  [6, 0x7fffffffe610n],
  [7, 0x7fffffffe610n],
  [16, 0x40111dn],
]);

/** Address -> bytes in hexadecimal: the frame, the data segment, the string. */
export const RECORDED_MEMORY: readonly (readonly [bigint, string])[] = [
  [
    0x7fffffffe5d0n,
    '0000000000000000000000000000000000000000000000004040400000000000020000000000000000000000010000000000000000000000000000000200000020e6ffffff7f00006a1140000000000001000000000000004ac2dff7ff7f0000',
  ],
  [
    0x404000n,
    '00000000000000000000000000000000fbffffff0700000000000000000100007800fdffc800000000000000000000000100000002000000030000000400000023010000000000004d000000000000004040400000000000042040000000000000000000000000000000000000000000',
  ],
  [0x402004n, '68690000011b033b'],
];

export const RECORDED: readonly RecordedCondition[] = [
  { source: 'i == 1500', bytecode: '26000622100222dc1608021916202305dc1327', value: 0n },
  {
    source: 'i && j',
    bytecode: '26000622100222dc16080219162020001421002d26000622100222d01608021a164020002821002d220121002f220027',
    value: 1n,
  },
  {
    source: 'i || j',
    bytecode: '26000622100222dc16080219162020002726000622100222d01608021a16402000272200210029220127',
    value: 1n,
  },
  { source: '!i', bytecode: '26000622100222dc1608021916200e27', value: 0n },
  { source: '~gu', bytecode: '240040401419122a2027', value: 4294967288n },
  { source: 'gi / 3', bytecode: '2400404010191620220305162027', value: -1n },
  { source: 'gu / 3', bytecode: '24004040141922032a20062a2027', value: 2n },
  { source: 'gi % 2', bytecode: '2400404010191620220207162027', value: -1n },
  { source: 'gu % 3', bytecode: '24004040141922032a20082a2027', value: 1n },
  { source: 'gl >> 3', bytecode: '24004040181a164022030a164027', value: 137438953472n },
  { source: 'gu >> 1', bytecode: '24004040141922012a200b2a2027', value: 3n },
  { source: 'gl << 2', bytecode: '24004040181a1640220209164027', value: 4398046511104n },
  { source: 'i < j', bytecode: '26000622100222dc16080219162026000622100222d01608021a16401427', value: 1n },
  { source: 'gu < 9', bytecode: '24004040141922092a201527', value: 1n },
  { source: 'i > j', bytecode: '26000622100222dc16080219162026000622100222d01608021a16402b1427', value: 0n },
  { source: 'i >= j', bytecode: '26000622100222dc16080219162026000622100222d01608021a1640140e27', value: 0n },
  { source: 'i != j', bytecode: '26000622100222dc16080219162026000622100222d01608021a1640130e27', value: 1n },
  { source: 'gc', bytecode: '240040402017160827', value: 120n },
  { source: 'gs', bytecode: '240040402218161027', value: -3n },
  { source: 'guc', bytecode: '24004040241727', value: 200n },
  { source: 'p->a', bytecode: '26000622100222c81608021a17160527', value: 3n },
  { source: 'p->b', bytecode: '26000622100222c81608021a1822050b2a0727', value: 9n },
  { source: 'p->c', bytecode: '26000622100222c81608021a2208021a164027', value: 77n },
  { source: 'p->next->next->c', bytecode: '26000622100222c81608021a2210021a2210021a2208021a164027', value: 77n },
  { source: 'arr[i]', bytecode: '240040403026000622100222dc160802191620220404022a4019162027', value: 2n },
  { source: '*str == 104', bytecode: '24004040581a17160822681327', value: 1n },
  { source: '$rip', bytecode: '2600102a4027', value: 4198685n },
  {
    source: 'i ? j : 5',
    bytecode: '26000622100222dc1608021916200e20002326000622100222d01608021a1640210025220527',
    value: 2n,
  },
  {
    source: 'gl + 0x123456789abcdef0',
    bytecode: '24004040181a164025123456789abcdef002164027',
    value: 1311769566975418096n,
  },
  { source: '-gi', bytecode: '2200240040401019162003162027', value: 5n },
  { source: 'i & 3', bytecode: '26000622100222dc16080219162022030f27', value: 1n },
  { source: 'i | 4', bytecode: '26000622100222dc16080219162022041027', value: 5n },
  { source: 'i ^ 5', bytecode: '26000622100222dc16080219162022051127', value: 4n },
  { source: 'i * -7', bytecode: '26000622100222dc16080219162022f9160804162027', value: -7n },
  { source: 'sizeof(p)', bytecode: '220827', value: 8n },
  { source: '(char)i', bytecode: '26000622100222dc160802191620160827', value: 1n },
  { source: '(unsigned char)gi', bytecode: '24004040101916202a0827', value: 251n },
  { source: '(short)gl', bytecode: '24004040181a1640161027', value: 0n },
  {
    source: 'gi < 0 && p != 0 && p->c / 7 == 11',
    bytecode:
      '240040401019162022001420001121002c26000622100222c81608021a2200130e20002721002c220121002e220020003421005926000622100222c81608021a2208021a16402207051640220b13200054210059220121005b220027',
    value: 1n,
  },
  {
    source: 'i + j * 3 - gi',
    bytecode: '26000622100222dc16080219162026000622100222d01608021a16402203041640021640240040401019162003164027',
    value: 12n,
  },
  {
    source: 'gi == -5 && p->next != 0 && (gu & 3) == 3',
    bytecode:
      '240040401019162022fb16081320001321003226000622100222c81608021a2210021a2200130e20002d2100322201210034220020003a21005524004040141922032a200f22032a20132000502100552201210057220027',
    value: 1n,
  },
  {
    source: '!(i == 1 || j == 3)',
    bytecode: '26000622100222dc16080219162022011320002d26000622100222d01608021a164022031320002d220021002f22010e27',
    value: 0n,
  },
  { source: '$rsp != $rbp', bytecode: '2600072a402600062a40130e27', value: 0n },
  { source: '(long)p == (long)&g', bytecode: '26000622100222c81608021a1640240040404016401327', value: 1n },
  {
    source: 'arr[0] + arr[1] + arr[2] + arr[3]',
    bytecode:
      '24004040302200220404022a4019162024004040302201220404022a4019162002162024004040302202220404022a4019162002162024004040302203220404022a4019162002162027',
    value: 10n,
  },
  {
    source: 'k == i * 2',
    bytecode: '26000622100222ec16080219162026000622100222dc16080219162022020416201327',
    value: 1n,
  },
  { source: 'gl > 1000000000000', bytecode: '24004040181a164025000000e8d4a510002b1427', value: 1n },
  { source: '(unsigned long)gi > 5', bytecode: '24004040101916202a4022052a402b1527', value: 1n },
  {
    source: 'i << 3 | j',
    bytecode: '26000622100222dc160802191620220309162026000622100222d01608021a16401027',
    value: 10n,
  },
  { source: '*(int *)($rbp - 0x14)', bytecode: '2600062a402214032a4019162027', value: 1n },
  { source: 'p->c / gz', bytecode: '26000622100222c81608021a2208021a164024004040681a164005164027', value: undefined },
  { source: '*(int *)0', bytecode: '220019162027', value: undefined },
  { source: '(gu - 9) / 2', bytecode: '24004040141922092a20032a2022022a20062a2027', value: 2147483647n },
  { source: '(gu - 9) < 0', bytecode: '24004040141922092a20032a2022002a201527', value: 0n },
  { source: 'gi >> 1', bytecode: '240040401019162022010a162027', value: -3n },
  { source: 'gi - 1 > gu', bytecode: '240040401019162022010316202400404014192b2a202b2b1527', value: 1n },
];
