/** Test results as JUnit XML for continuous integration (https://github.com/testmoapp/junitxml). */
import type { Outcome } from './outcome.ts';

export function junit(outcomes: readonly Outcome[]): string {
  const suites = new Map<string, Outcome[]>();
  for (const o of outcomes) {
    const key = `${o.suite}\n${o.file}`;
    suites.set(key, [...(suites.get(key) ?? []), o]);
  }
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="sluice" ${counts(outcomes)}>`];
  for (const list of suites.values()) {
    const { suite, file } = list[0]!;
    lines.push(`  <testsuite name="${escaped(suite)}" file="${escaped(file)}" ${counts(list)}>`);
    for (const o of list) {
      const head = `    <testcase name="${escaped(o.name)}" classname="${escaped(suite)}" file="${escaped(o.file)}" line="${o.line}" time="${seconds(o.milliseconds)}"`;
      const output = [
        o.unrun === undefined ? [] : [`not run on the engine: ${o.unrun}`],
        o.printed ?? [],
      ].flat();
      if (o.state === 'passed' && output.length === 0) lines.push(`${head}/>`);
      else {
        lines.push(`${head}>`);
        if (o.state === 'failed')
          lines.push(
            `      <failure message="${escaped(o.problems[0] ?? '')}">${escaped(o.problems.join('\n'))}</failure>`,
          );
        if (o.state === 'skipped') lines.push('      <skipped/>');
        if (output.length > 0) lines.push(`      <system-out>${escaped(output.join('\n'))}</system-out>`);
        lines.push('    </testcase>');
      }
    }
    lines.push('  </testsuite>');
  }
  lines.push('</testsuites>', '');
  return lines.join('\n');
}

const counts = (list: readonly Outcome[]): string =>
  `tests="${list.length}" failures="${list.filter((o) => o.state === 'failed').length}" errors="0" skipped="${list.filter((o) => o.state === 'skipped').length}" time="${seconds(list.reduce((n, o) => n + o.milliseconds, 0))}"`;

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(6);

/** XML 1.0 §2.2 does not allow most control characters, not even escaped. */
const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
