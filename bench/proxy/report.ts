/** What a benchmark has found, printed and held against `bench/thresholds.json`. */
import { readFileSync } from 'node:fs';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export const print = ({ name, value, unit }: Row): void =>
  void process.stdout.write(`${name.padEnd(58)} ${spelled(value).padStart(9)} ${unit}\n`);

const spelled = (value: number): string => (value >= 1000 ? Math.round(value).toString() : value.toFixed(2));

/** false: one of them is not within its bounds */
export function check(rows: readonly Row[], section: string): boolean {
  const file = JSON.parse(readFileSync(new URL('../thresholds.json', import.meta.url), 'utf8')) as {
    readonly [section: string]: {
      readonly [name: string]: { readonly least?: number; readonly most?: number };
    };
  };
  const bounds = file[section] ?? {};
  const broken = rows.filter(({ name, value }) => {
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = bounds[name] ?? {};
    return value < least || value > most;
  });
  for (const { name, value } of broken)
    process.stdout.write(
      `not within its bounds: ${name}: ${spelled(value)} ${JSON.stringify(bounds[name])}\n`,
    );
  return broken.length === 0;
}
