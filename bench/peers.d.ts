/**
 * What the benchmarks use of the packages that only `bench/package.json` installs, so that the benchmarks are type-checked without them.
 * `npm ci --prefix bench` installs the packages themselves.
 */
declare module '@streamparser/json' {
  export class JSONParser {
    constructor(options: { readonly paths: readonly string[]; readonly keepStack: boolean });
    onValue: (found: { readonly value?: unknown; readonly key?: string | number | undefined }) => void;
    write(chunk: Uint8Array): void;
  }
}

declare module 'stream-chain' {
  import type { Duplex } from 'node:stream';
  export default function chain(steps: readonly unknown[]): Duplex;
}

declare module 'stream-json' {
  export function parser(): unknown;
}

declare module 'stream-json/filters/pick.js' {
  export function pick(options: { readonly filter: string }): unknown;
}

declare module 'stream-json/streamers/stream-array.js' {
  export function streamArray(): unknown;
}

declare module 'stream-json/streamers/stream-values.js' {
  export function streamValues(): unknown;
}

declare module 'csv-stringify/sync' {
  export function stringify(rows: readonly unknown[], options: Readonly<Record<string, unknown>>): string;
}
