/**
 * `npm run bench -- flush [--seconds 3] [--rounds 3] [--bytes 5500,88000]`: durable writes a second by one and by two processes, each to a file of its own
 * on one disk (`BENCH_DIR`), by how the journal could write. It says whether the commits of several workers wait for each other.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  constants,
  closeSync,
  fdatasync,
  mkdtempSync,
  openSync,
  rmSync,
  write as writeFd,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

const [write, flush] = [promisify(writeFd), promisify(fdatasync)];
const { O_WRONLY, O_CREAT, O_APPEND, O_DSYNC, O_DIRECT } = constants;
/** bytes of a preallocated segment, and of one write that fills it */
const SEGMENT = 64 << 20;
const CHUNK = 1 << 20;

interface Design {
  readonly flags: number;
  /** the file is full of zeros before, so that a write changes neither its length nor its extents */
  readonly filled: boolean;
  readonly flushed: boolean;
}

const DESIGNS: Readonly<Record<string, Design>> = {
  'append, O_DSYNC (used)': { flags: O_APPEND | O_DSYNC, filled: false, flushed: false },
  'append, then fdatasync': { flags: O_APPEND, filled: false, flushed: true },
  'into zeros, O_DSYNC': { flags: O_DSYNC, filled: true, flushed: false },
  'into zeros, then fdatasync': { flags: 0, filled: true, flushed: true },
  'into zeros, O_DSYNC and O_DIRECT': { flags: O_DSYNC | O_DIRECT, filled: true, flushed: false },
};

interface Result {
  readonly commits: number;
  readonly seconds: number;
  readonly user: number;
  readonly system: number;
}

/** Commits one after the other until the time is over. */
async function commit(
  dir: string,
  { flags, filled, flushed }: Design,
  bytes: number,
  seconds: number,
): Promise<Result> {
  const path = join(dir, String(process.pid));
  if (filled) {
    const fd = openSync(path, O_WRONLY | O_CREAT, 0o600);
    const zeros = Buffer.alloc(CHUNK);
    for (let at = 0; at < SEGMENT; at += CHUNK) writeSync(fd, zeros);
    await flush(fd);
    closeSync(fd);
  }
  const fd = openSync(path, O_WRONLY | O_CREAT | flags, 0o600);
  // O_DIRECT wants whole blocks at an aligned address: the memory of WebAssembly begins at a page.
  const length = (flags & O_DIRECT) === 0 ? bytes : Math.ceil(bytes / 4096) * 4096;
  const block = new Uint8Array(new WebAssembly.Memory({ initial: 16 }).buffer, 0, length).fill(32);
  process.send?.('ready');
  await once(process, 'message');
  const [began, before] = [performance.now(), process.cpuUsage()];
  let commits = 0;
  for (let at = 0; performance.now() < began + seconds * 1000; at += length, commits++) {
    if (filled && at + length > SEGMENT) at = 0;
    await write(fd, block, 0, length, filled ? at : null);
    if (flushed) await flush(fd);
  }
  const { user, system } = process.cpuUsage(before);
  return { commits, seconds: (performance.now() - began) / 1000, user, system };
}

async function measure(name: string, processes: number, bytes: number, seconds: number): Promise<Result> {
  const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'sluice-bench-'));
  try {
    const children = Array.from({ length: processes }, () =>
      fork(import.meta.filename, ['--child', JSON.stringify([dir, name, bytes, seconds])]),
    );
    await Promise.all(children.map((child) => once(child, 'message')));
    const results = children.map((child) => once(child, 'message') as Promise<[Result]>);
    for (const child of children) child.send('go');
    const found = (await Promise.all(results)).map(([result]) => result);
    const sum = (of: (result: Result) => number): number => found.reduce((total, r) => total + of(r), 0);
    return {
      commits: sum((r) => r.commits / r.seconds),
      seconds: 1,
      user: sum((r) => r.user) / sum((r) => r.commits),
      system: sum((r) => r.system) / sum((r) => r.commits),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '5500,88000' },
    child: { type: 'string' },
  },
});
if (values.child !== undefined) {
  const [dir, name, bytes, seconds] = JSON.parse(values.child) as [string, string, number, number];
  process.send?.(await commit(dir, DESIGNS[name]!, bytes, seconds));
  process.disconnect();
} else {
  const median = (numbers: readonly number[]): number =>
    numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
  process.stdout.write(
    '| bytes | write | commits/s | of 2 processes | × | user, kernel µs | of 2 processes |\n|---|---|---|---|---|---|---|\n',
  );
  for (const bytes of values.bytes.split(',').map(Number)) {
    const found = new Map<string, [Result, Result][]>();
    // Rounds of all designs stand beside each other.
    for (let round = 0; round < Number(values.rounds); round++)
      for (const name of Object.keys(DESIGNS)) {
        const pair: [Result, Result] = [
          await measure(name, 1, bytes, Number(values.seconds)),
          await measure(name, 2, bytes, Number(values.seconds)),
        ];
        found.set(name, [...(found.get(name) ?? []), pair]);
      }
    for (const [name, pairs] of found) {
      const of = (read: (pair: [Result, Result]) => number): number => median(pairs.map(read));
      const cells = [
        bytes,
        name,
        Math.round(of(([one]) => one.commits)),
        Math.round(of(([, two]) => two.commits)),
        of(([one, two]) => two.commits / one.commits).toFixed(2),
        `${of(([one]) => one.user).toFixed(0)}, ${of(([one]) => one.system).toFixed(0)}`,
        `${of(([, two]) => two.user).toFixed(0)}, ${of(([, two]) => two.system).toFixed(0)}`,
      ];
      process.stdout.write(`| ${cells.join(' | ')} |\n`);
    }
  }
}
