/** What is wrong with a policy, each with its place; as lines for people and as JSON. */
import { relative } from 'node:path';
import colours from 'picocolors';
import type { PolicyFault } from '../../policy/opa-faults.ts';
import type { Io } from '../io.ts';

export interface Finding extends PolicyFault {
  readonly severity: 'fault' | 'warning';
  /** stable name of what was looked at, e.g. `catalog`, `style` */
  readonly rule: string;
}

export const findings = (
  faults: readonly PolicyFault[],
  rule: string,
  severity: Finding['severity'] = 'fault',
): Finding[] => faults.map((f) => ({ ...f, rule, severity }));

/** by place, each once, with files as the caller would name them */
export function arranged(list: readonly Finding[], cwd: string): Finding[] {
  const seen = new Set<string>();
  const here = list.map((f) => (f.file === undefined ? f : { ...f, file: shown(f.file, cwd) }));
  return here
    .filter((f) => {
      const key = `${f.file}:${f.line}:${f.message}`;
      return seen.has(key) ? false : seen.add(key) !== undefined;
    })
    .sort(
      (a, b) =>
        compare(a.file ?? '', b.file ?? '') ||
        (a.line ?? 0) - (b.line ?? 0) ||
        (a.column ?? 0) - (b.column ?? 0) ||
        compare(a.message, b.message),
    );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** relative where that is shorter */
export function shown(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short !== '' && !short.startsWith('..') && short.length < file.length ? short : file;
}

export function tell(list: readonly Finding[], io: Io): void {
  const paint = io.stdout.isTTY === true && !io.env['NO_COLOR'];
  const { red, yellow, dim } = colours.createColors(paint);
  for (const f of list) {
    const place = [f.file, f.line, f.column].filter((p) => p !== undefined).join(':');
    const mark = f.severity === 'fault' ? red('fault') : yellow('warning');
    io.stdout.write(`${place === '' ? '' : `${place}: `}${mark}: ${f.message} ${dim(`[${f.rule}]`)}\n`);
  }
}
