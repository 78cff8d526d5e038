import { expect, test } from 'vitest';
import { PrintedText } from '../../src/server/printed-text.js';

test('is told in pieces, in order, and when somebody wants to write', () => {
  const told: string[] = [];
  const printed = new PrintedText((text) => void told.push(Buffer.from(text).toString()));
  printed.flush();
  for (const text of ['a', 'b']) printed.add(text);
  expect(told).toEqual([]);
  printed.flush();
  printed.flush();
  expect(told).toEqual(['ab']);
  printed.add('c'.repeat(10_000));
  expect(told.at(-1)).toHaveLength(10_000);
});
