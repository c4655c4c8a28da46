import { describe, expect, test } from 'vitest';
import { SmallSet, SmallMap } from '../../src/disclosure/session/small.ts';

describe('a memory', () => {
  test('gives what was set last for a key, and nothing for others', () => {
    const memory = new SmallMap<string, number>();
    expect(memory.get('a')).toBeUndefined();
    memory.set('a', 1);
    memory.set('b', 2);
    memory.set('c', 3);
    memory.set('a', 4);
    memory.set('b', 5);
    expect(['a', 'b', 'c', 'd'].map((key) => memory.get(key))).toEqual([4, 5, 3, undefined]);
    expect([...memory.values()]).toEqual([4, 5, 3]);
    expect(memory.size).toBe(3);
  });

  test('is empty once it was cleared', () => {
    const memory = new SmallMap<string, number>();
    for (const key of ['a', 'b']) memory.set(key, 1);
    memory.clear();
    expect([memory.size, memory.get('a'), memory.get('b'), ...memory.values()]).toEqual([
      0,
      undefined,
      undefined,
    ]);
  });
});

describe('distinct texts', () => {
  test.each([0, 1, 8, 9, 100])(
    'are given once each, in the order in which they came: %d of them',
    (count) => {
      const texts = Array.from({ length: count }, (_, n) => `t${n}`);
      const distinct = new SmallSet();
      for (const text of [...texts, ...texts.toReversed()]) distinct.add(text);
      expect(distinct.size).toBe(count);
      expect(distinct.take()).toEqual(texts);
      expect(distinct.take()).toEqual([]);
    },
  );
});
