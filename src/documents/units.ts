/** Durations and sizes as they are written in documents. */

/** the units of durations, in milliseconds */
export const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `10s`, `5m`, `12h`, `30d` */
export function milliseconds(value: unknown): number | null {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value));
  return m ? Math.round(Number(m[1]) * UNIT_MS[m[2] as keyof typeof UNIT_MS]) : null;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `64KiB`, `4MiB`, `1GiB`, or a number of bytes */
export function bytes(value: unknown): number | null {
  const m = /^(\d+)(B|KiB|MiB|GiB|TiB)?$/.exec(String(value));
  const n = m ? Number(m[1]) * UNIT_BYTES[m[2] ?? 'B']! : Number.NaN;
  return Number.isSafeInteger(n) ? n : null;
}
