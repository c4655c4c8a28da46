/** Findings about a policy: collected, deduplicated and sorted. `finding-formats.ts` prints them. */
import { relative } from 'node:path';
import type { Fault } from '../../../documents/faults.ts';

/** Findings with the same `cause` are reported once, at the first place. */
export interface CausedFault extends Fault {
  readonly cause?: string;
}

export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

export interface Finding extends CausedFault {
  /** a note may be intended; it never affects the exit code */
  readonly severity: 'fault' | 'warning' | 'note';
  /** stable name of the check, e.g. `catalog`, `style` */
  readonly rule: string;
  /** further places of the same cause */
  readonly also?: readonly Place[];
}

export const findings = (
  faults: readonly CausedFault[],
  rule: string,
  severity: Finding['severity'] = 'fault',
): Finding[] => faults.map((f) => ({ ...f, rule, severity }));

/** sorted by place, each cause once; files named as the caller would */
export function arranged(list: readonly Finding[], cwd: string): Finding[] {
  const found: Finding[] = [];
  const byCause = new Map<string, { at: number; also: Place[] }>();
  const sorted = list
    .map((f) => (f.file === undefined ? f : { ...f, file: shown(f.file, cwd) }))
    .sort(
      (a, b) =>
        compare(a.file ?? '', b.file ?? '') ||
        (a.line ?? 0) - (b.line ?? 0) ||
        (a.column ?? 0) - (b.column ?? 0) ||
        compare(a.message, b.message),
    );
  for (const { cause, ...finding } of sorted) {
    const { severity, rule, file, line, column, message } = finding;
    const key = `${severity} ${cause ?? `${rule} ${file}:${line}:${message}`}`;
    const first = byCause.get(key);
    if (first === undefined) {
      byCause.set(key, { at: found.length, also: [] });
      found.push(finding);
      continue;
    }
    const places = [found[first.at]!, ...first.also];
    if (cause === undefined || places.some((p) => p.file === file && p.line === line && p.column === column))
      continue;
    first.also.push({
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
    });
  }
  for (const { at, also } of byCause.values()) if (also.length > 0) found[at] = { ...found[at]!, also };
  return found;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** relative if that is shorter */
export function shown(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short !== '' && !short.startsWith('..') && short.length < file.length ? short : file;
}

export const spellPlace = ({ file, line, column }: Place): string =>
  [file, line, column].filter((p) => p !== undefined).join(':');
