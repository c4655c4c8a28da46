/** The position of a sink, stored in a file in the journal's directory. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errno, makeDirectory } from '../journal/directory.ts';
import type { Position } from '../index/store.ts';

export class PositionFile {
  readonly #path: string;
  readonly #positions: Map<string, Position>;

  /** @param name unique among the sinks of the journal in `dir` */
  constructor(dir: string, name: string) {
    const sinks = join(dir, 'sinks');
    makeDirectory(sinks);
    this.#path = join(sinks, `${name}.json`);
    this.#positions = new Map(Object.entries(read(this.#path)));
  }

  all(): ReadonlyMap<string, Position> {
    return new Map(this.#positions);
  }

  set(origin: string, position: Position): void {
    this.#positions.set(origin, position);
    const draft = `${this.#path}.new`;
    const fd = openSync(draft, 'w', 0o640);
    try {
      writeSync(fd, JSON.stringify(Object.fromEntries(this.#positions)));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, this.#path);
  }
}

/** An unreadable file counts as no position: a sink gets each record at least once, and readers drop duplicates by origin and seq. */
function read(path: string): { [origin: string]: Position } {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (e) {
    if (errno(e) === 'ENOENT' || e instanceof SyntaxError) return {};
    throw e;
  }
}
