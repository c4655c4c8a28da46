import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchSteps } from '../../src/observability/clock.ts';

const HOUR = 3_600_000;
let passed: number;
/** milliseconds by which the clock is off */
let off: number;
let steps: number[];
let watching: { close(): void };
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  [passed, off, steps] = [0, 0, []];
  watching = watchSteps({ now: () => new Date(1e12 + passed + off), micros: () => passed * 1000 }, (by) =>
    steps.push(by),
  );
});
afterEach(() => {
  watching.close();
  vi.useRealTimers();
});

function pass(ms: number): void {
  passed += ms;
  vi.advanceTimersByTime(ms);
}

test('a clock that is set back or forward is told once, with by how much', () => {
  pass(10_000);
  off -= HOUR;
  pass(10_000);
  expect(steps).toEqual([-HOUR]);
  off += HOUR + 5_000;
  pass(10_000);
  expect(steps).toEqual([-HOUR, HOUR + 5_000]);
});

test('a clock that is corrected bit by bit, and a process that stood still, are no steps', () => {
  for (let second = 0; second < 60; second++) {
    off -= 500;
    pass(1_000);
  }
  passed += HOUR;
  pass(1_000);
  expect(steps).toEqual([]);
});

test('nothing is told after the end', () => {
  watching.close();
  off -= HOUR;
  pass(10_000);
  expect(steps).toEqual([]);
});
