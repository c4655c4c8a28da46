/** Faults of a document, collected so that all of them can be told at once, each with its place. */
import { SluiceError } from '../errors.ts';

export interface PolicyFault {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

/** `['routes', 2, 'upstream']` */
export type Path = readonly (string | number)[];

export interface Fault {
  readonly line: number;
  readonly column: number;
  readonly path: Path;
  readonly message: string;
}

/** `routes[2].upstream` */
export const spell = (path: Path): string =>
  path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join('');

/** `sluice.yaml:14:7: routes[2].upstream: no upstream named "crn"; did you mean "crm"?` */
export const tell = (file: string, { line, column, path, message }: Fault): string =>
  `${file}:${line}:${column}: ${path.length === 0 ? '' : `${spell(path)}: `}${message}`;

const carried = new WeakMap<SluiceError, readonly Fault[]>();

/** The faults that an error of `configInvalid` tells; null for any other. */
export const configFaults = (e: SluiceError): readonly Fault[] | null => carried.get(e) ?? null;

export function configInvalid(file: string, faults: readonly Fault[]): SluiceError {
  const sorted = [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map((f) => tell(file, f));
  const error = new SluiceError(
    'config_invalid',
    lines.length === 1 ? lines[0]! : `${lines.length} faults in the configuration:\n${lines.join('\n')}`,
  );
  carried.set(error, sorted);
  return error;
}
