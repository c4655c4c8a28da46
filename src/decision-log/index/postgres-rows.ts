/**
 * Rows in the binary format of PostgreSQL's COPY, which the server takes without parsing text:
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4
 */

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const LONGEST_INTEGER = 12;

/** A UUID as four numbers of 32 bits. */
export type Uuid = readonly [number, number, number, number];

/** @param id with hyphens and lower case */
export function uuidOf(id: string): Uuid {
  const part = (from: number, to: number): number => Number.parseInt(id.slice(from, to), 16);
  return [
    part(0, 8),
    part(9, 13) * 65_536 + part(14, 18),
    part(19, 23) * 65_536 + part(24, 28),
    part(28, 36),
  ];
}

export class Rows {
  #bytes: Buffer;
  #at = HEADER.length;

  constructor(size = 64 << 10) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    HEADER.copy(this.#bytes);
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + more));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  /** Begins a row. @param columns their number; each is written by one of the methods below, in order */
  begin(columns: number): this {
    this.#reserve(2);
    this.#at = this.#bytes.writeInt16BE(columns, this.#at);
    return this;
  }

  int4(n: number): this {
    this.#reserve(LONGEST_INTEGER);
    this.#at = this.#bytes.writeInt32BE(4, this.#at);
    this.#at = this.#bytes.writeInt32BE(n, this.#at);
    return this;
  }

  /** @param n not negative, and a safe integer */
  int8(n: number): this {
    this.#reserve(LONGEST_INTEGER);
    this.#at = this.#bytes.writeInt32BE(8, this.#at);
    this.#at = this.#bytes.writeInt32BE(Math.floor(n / 2 ** 32), this.#at);
    this.#at = this.#bytes.writeUInt32BE(n % 2 ** 32, this.#at);
    return this;
  }

  uuid([a, b, c, d]: Uuid): this {
    this.#reserve(20);
    const bytes = this.#bytes;
    let at = bytes.writeInt32BE(16, this.#at);
    at = bytes.writeUInt32BE(a, at);
    at = bytes.writeUInt32BE(b, at);
    at = bytes.writeUInt32BE(c, at);
    this.#at = bytes.writeUInt32BE(d, at);
    return this;
  }

  /** @param digits hexadecimal, of whole bytes */
  bytea(digits: string): this {
    const size = digits.length / 2;
    this.#reserve(4 + size);
    const at = this.#bytes.writeInt32BE(size, this.#at);
    this.#at = at + this.#bytes.write(digits, at, 'hex');
    return this;
  }

  text(value: string): this {
    // A UTF-16 unit has three bytes at most.
    this.#reserve(4 + 3 * value.length);
    const at = this.#at + 4;
    const size = this.#bytes.write(value, at, 'utf8');
    this.#bytes.writeInt32BE(size, this.#at);
    this.#at = at + size;
    return this;
  }

  /** All rows, for `COPY … FROM STDIN (FORMAT binary)`. Nothing may be added afterwards. */
  end(): Buffer {
    this.#reserve(2);
    this.#at = this.#bytes.writeInt16BE(-1, this.#at);
    return this.#bytes.subarray(0, this.#at);
  }
}
