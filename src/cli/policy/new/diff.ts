/** The difference between two texts, as `diff -u` prints it. */

const AROUND = 3;

export function unifiedDiff(name: string, before: string, after: string): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  const edits = editsOf(a, b);
  const changed = edits.flatMap(({ mark }, i) => (mark === ' ' ? [] : [i]));
  if (changed.length === 0) return '';
  const hunks: [number, number][] = [];
  for (const i of changed) {
    const last = hunks.at(-1);
    if (last !== undefined && i - last[1] <= 2 * AROUND) last[1] = i;
    else hunks.push([i, i]);
  }
  const text = hunks.map(([first, last]) => {
    const from = Math.max(0, first - AROUND);
    const part = edits.slice(from, last + AROUND + 1);
    const count = (mark: string): number => edits.slice(0, from).filter((e) => e.mark !== mark).length;
    const size = (mark: string): number => part.filter((e) => e.mark !== mark).length;
    const range = (mark: string): string =>
      `${size(mark) === 0 ? count(mark) : count(mark) + 1},${size(mark)}`;
    return `@@ -${range('+')} +${range('-')} @@\n${part.map((e) => `${e.mark}${e.line}\n`).join('')}`;
  });
  return `--- ${before === '' ? '/dev/null' : name}\n+++ ${name}\n${text.join('')}`;
}

interface Edit {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** Longest common subsequence, between the lines that are the same at both ends. */
function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const lengths = Array.from({ length: x.length + 1 }, () => new Uint32Array(y.length + 1));
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = y.length - 1; j >= 0; j--)
      lengths[i]![j] =
        x[i] === y[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  const edits: Edit[] = [];
  const same = (lines: readonly string[]): void =>
    void edits.push(...lines.map((line) => ({ mark: ' ' as const, line })));
  same(a.slice(0, head));
  for (let i = 0, j = 0; i < x.length || j < y.length; ) {
    if (i < x.length && j < y.length && x[i] === y[j]) {
      same([x[i]!]);
      i += 1;
      j += 1;
    } else if (j >= y.length || (i < x.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) {
      edits.push({ mark: '-', line: x[i]! });
      i += 1;
    } else {
      edits.push({ mark: '+', line: y[j]! });
      j += 1;
    }
  }
  same(a.slice(a.length - tail));
  return edits;
}
