/** Parses the errors of OPA into faults with their places. */
import { join } from 'node:path';
import type { Fault } from '../../documents/faults.ts';
import type { OpaRun } from './opa.ts';

/** value of OPA's --max-errors: no limit (OPA's default is 10) */
export const MAX_ERRORS = '0';

/** The faults in the output of `opa check --format json` (stderr) or `opa build` (plain text); `root` is prepended to file names. */
export const faultsOf = (run: OpaRun, root: string): Fault[] => {
  const text = run.stderr.trim() === '' ? run.stdout : run.stderr;
  try {
    const parsed = JSON.parse(text) as { errors?: readonly OpaFault[] };
    if (Array.isArray(parsed.errors)) return distinct(parsed.errors.map((e) => fromJson(e, root)));
  } catch {
    // plain text
  }
  const faults = text
    .split('\n')
    .map((line) => line.replace(/^error: /, '').replace(/^(\d+ errors? occurred[^:]*:|load error:)\s*/g, ''))
    .map((line) => /^(.+?\.(?:rego|ya?ml|json)):(?:(\d+):)?(?:(\d+):)?\s*(.*)$/.exec(line))
    .filter((m) => m !== null)
    .map(
      (m): Fault => ({
        file: join(root, m[1]!),
        ...(m[2] === undefined ? {} : { line: Number(m[2]) }),
        ...(m[3] === undefined ? {} : { column: Number(m[3]) }),
        message: m[4]!,
      }),
    );
  return faults.length > 0
    ? distinct(faults)
    : [
        {
          message:
            text
              .trim()
              .split('\n')[0]
              ?.replace(/^error: /, '') || `exit code ${run.code}`,
        },
      ];
};

interface OpaFault {
  readonly message: string;
  readonly code?: string;
  readonly location?: { readonly file?: string; readonly row?: number; readonly col?: number };
}

const fromJson = (e: OpaFault, root: string): Fault => ({
  ...(e.location?.file ? { file: join(root, e.location.file) } : {}),
  ...(e.location?.row ? { line: e.location.row } : {}),
  ...(e.location?.col ? { column: e.location.col } : {}),
  message: e.code === undefined || e.code === '' ? e.message : `${e.code}: ${e.message}`,
});

const distinct = (faults: readonly Fault[]): Fault[] => {
  const seen = new Set<string>();
  return faults.filter((f) => {
    const key = `${f.file}:${f.line}:${f.message}`;
    return seen.has(key) ? false : seen.add(key) !== undefined;
  });
};
