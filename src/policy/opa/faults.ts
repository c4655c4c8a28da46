/** What OPA says is wrong, as one SluiceError that names every place. */
import { join } from 'node:path';
import type { PolicyFault } from '../../documents/faults.ts';
import { SluiceError } from '../../errors.ts';
import type { OpaRun } from './opa.ts';

export type { PolicyFault } from '../../documents/faults.ts';

/** No limit: OPA stops at ten faults unless told otherwise. */
export const MAX_ERRORS = '0';

/** Faults in what `opa check --format json` (stderr) or `opa build` (plain text) printed; files are put under `root`. */
export const faultsOf = (run: OpaRun, root: string): PolicyFault[] => {
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
      (m): PolicyFault => ({
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

const fromJson = (e: OpaFault, root: string): PolicyFault => ({
  ...(e.location?.file ? { file: join(root, e.location.file) } : {}),
  ...(e.location?.row ? { line: e.location.row } : {}),
  ...(e.location?.col ? { column: e.location.col } : {}),
  message: e.code === undefined || e.code === '' ? e.message : `${e.code}: ${e.message}`,
});

const distinct = (faults: readonly PolicyFault[]): PolicyFault[] => {
  const seen = new Set<string>();
  return faults.filter((f) => {
    const key = `${f.file}:${f.line}:${f.message}`;
    return seen.has(key) ? false : seen.add(key) !== undefined;
  });
};

export const spell = (f: PolicyFault): string =>
  f.file === undefined
    ? f.message
    : `${[f.file, f.line, f.column].filter((p) => p !== undefined).join(':')}: ${f.message}`;

const carried = new WeakMap<SluiceError, readonly PolicyFault[]>();

/** The faults that an error of `faultError` tells; of any other, itself as one. */
export const faultsIn = (e: SluiceError): readonly PolicyFault[] =>
  carried.get(e) ?? [
    {
      ...(e.at === undefined ? {} : { file: e.at.file }),
      ...(e.at?.line === undefined ? {} : { line: e.at.line }),
      ...(e.at?.column === undefined ? {} : { column: e.at.column }),
      message: e.message,
    },
  ];

/** One error for all faults; `at` is the first place. */
export const faultError = (
  code: 'policy_compile_failed' | 'policy_builtin_refused' | 'policy_data_invalid' | 'catalog_invalid',
  faults: readonly PolicyFault[],
  advice?: string,
): SluiceError => {
  const first = faults.find((f) => f.file !== undefined);
  const error = new SluiceError(code, {
    message: [...faults.map(spell), ...(advice === undefined ? [] : [advice])].join('\n'),
    ...(first?.file === undefined
      ? {}
      : {
          at: {
            file: first.file,
            ...(first.line === undefined ? {} : { line: first.line }),
            ...(first.column === undefined ? {} : { column: first.column }),
          },
        }),
  });
  carried.set(error, faults);
  return error;
};
