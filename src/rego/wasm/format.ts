/** The binary format of a WebAssembly module (version 1): the parts that rewriting a module of OPA needs. */
import { RegoError } from '../errors.ts';

export class Reader {
  at: number;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  byte(): number {
    const b = this.bytes[this.at];
    if (b === undefined) throw malformed('it ends too early');
    this.at += 1;
    return b;
  }
  /** Reads an unsigned LEB128 number. Also skips a signed one, whose length follows the same rule. */
  leb(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const b = this.byte();
      if (shift < 32) value += (b & 0x7f) * 2 ** shift;
      if (b < 0x80) return value;
    }
    throw malformed('a number is too long');
  }
  text(): string {
    const length = this.leb();
    this.skip(length);
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
  skip(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw malformed('it ends too early');
  }
}

export const malformed = (why: string): RegoError =>
  new RegoError(
    'module_malformed',
    `The policy's WebAssembly cannot be rewritten: ${why}. Build it with OPA 1.19.`,
  );

export const leb = (value: number | bigint): number[] => {
  const out: number[] = [];
  let v = BigInt(value);
  do {
    const b = Number(v & 0x7fn);
    v >>= 7n;
    out.push(v === 0n ? b : b | 0x80);
  } while (v !== 0n);
  return out;
};

export const signedLeb = (value: bigint): number[] => {
  const out: number[] = [];
  let v = value;
  for (;;) {
    const b = Number(v & 0x7fn);
    v >>= 7n;
    const done = (v === 0n && (b & 0x40) === 0) || (v === -1n && (b & 0x40) !== 0);
    out.push(done ? b : b | 0x80);
    if (done) return out;
  }
};

export interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

export const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  code: 10,
} as const;
/** the order of sections that the format requires, by id */
export const ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

export const sectionsOf = (wasm: Uint8Array): Section[] => {
  if (
    wasm.length < 8 ||
    wasm[0] !== 0 ||
    wasm[1] !== 0x61 ||
    wasm[2] !== 0x73 ||
    wasm[3] !== 0x6d ||
    wasm[4] !== 1
  )
    throw malformed('it is not a module of version 1');
  const reader = new Reader(wasm, 8);
  const sections: Section[] = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const size = reader.leb();
    sections.push({ id, start: reader.at, end: reader.at + size });
    reader.skip(size);
  }
  return sections;
};

/** Reads the limits of a table or a memory. @returns the initial size */
const limits = (reader: Reader): number => {
  const flags = reader.byte();
  const initial = reader.leb();
  if ((flags & 1) !== 0) reader.leb();
  return initial;
};

/** the initial number of elements of all tables together */
export const tableElements = (wasm: Uint8Array, section: Section | undefined): number => {
  if (section === undefined) return 0;
  const reader = new Reader(wasm, section.start);
  let total = 0;
  for (let n = reader.leb(); n > 0; n--) {
    if (reader.byte() === 0x40) throw malformed('a table is initialized by an expression');
    total += limits(reader);
  }
  return total;
};

export const count = (wasm: Uint8Array, section: Section | undefined): number =>
  section === undefined ? 0 : new Reader(wasm, section.start).leb();

/** the content of a vector section, with entries appended */
export const appended = (
  wasm: Uint8Array,
  section: Section | undefined,
  entries: readonly (readonly number[])[],
): Uint8Array => {
  const added = Uint8Array.from(entries.flat());
  if (section === undefined) return concat([Uint8Array.from(leb(entries.length)), added]);
  const reader = new Reader(wasm, section.start);
  const present = reader.leb();
  return concat([
    Uint8Array.from(leb(present + entries.length)),
    wasm.subarray(reader.at, section.end),
    added,
  ]);
};

export const concat = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};

export interface Imports {
  /** names, by index */
  readonly functions: readonly string[];
  readonly globals: number;
  readonly tables: number;
}

export const importsOf = (wasm: Uint8Array, section: Section | undefined): Imports => {
  const functions: string[] = [];
  let [globals, tables] = [0, 0];
  if (section === undefined) return { functions, globals, tables };
  const reader = new Reader(wasm, section.start);
  for (let n = reader.leb(); n > 0; n--) {
    reader.text();
    const name = reader.text();
    const kind = reader.byte();
    if (kind === 0) {
      reader.leb();
      functions.push(name);
    } else if (kind === 1) {
      reader.byte();
      limits(reader);
      tables += 1;
    } else if (kind === 2) limits(reader);
    else if (kind === 3) {
      reader.skip(2);
      globals += 1;
    } else throw malformed('it imports something of an unknown kind');
  }
  return { functions, globals, tables };
};

export interface Signature {
  /** index of the type */
  readonly type: number;
  /** one letter a parameter: `i` is i32, `l` is i64, `?` is any other type */
  readonly parameters: string;
  readonly results: string;
}

/** the signature of each function that the module defines */
export const signaturesOf = (
  wasm: Uint8Array,
  types: Section | undefined,
  functions: Section | undefined,
): Signature[] => {
  if (types === undefined || functions === undefined) return [];
  const reader = new Reader(wasm, types.start);
  const letters = (): string =>
    Array.from({ length: reader.leb() }, () => ({ 127: 'i', 126: 'l' })[reader.byte()] ?? '?').join('');
  const signatures = Array.from({ length: reader.leb() }, (_, type): Signature => {
    if (reader.byte() !== 0x60) throw malformed('it has a type that is not a function type');
    return { type, parameters: letters(), results: letters() };
  });
  const indices = new Reader(wasm, functions.start);
  return Array.from({ length: indices.leb() }, () => {
    const signature = signatures[indices.leb()];
    if (signature === undefined) throw malformed('a function has no type');
    return signature;
  });
};

/** the code of each function that the module defines: locals and instructions */
export const bodiesOf = (wasm: Uint8Array, section: Section): Uint8Array[] => {
  const reader = new Reader(wasm, section.start);
  return Array.from({ length: reader.leb() }, () => {
    const size = reader.leb();
    reader.skip(size);
    return wasm.subarray(reader.at - size, reader.at);
  });
};

/** id of the part of the section `name` that names the functions */
const FUNCTION_NAMES = 1;

/** index of each function by its name, from the section `name` */
export const functionNamesOf = (wasm: Uint8Array, sections: readonly Section[]): Map<string, number> => {
  const names = new Map<string, number>();
  for (const s of sections) {
    if (s.id !== 0) continue;
    const reader = new Reader(wasm.subarray(0, s.end), s.start);
    if (reader.text() !== 'name') continue;
    while (reader.at < s.end) {
      const part = reader.byte();
      const size = reader.leb();
      const end = reader.at + size;
      if (part === FUNCTION_NAMES)
        for (let n = reader.leb(); n > 0; n--) {
          const index = reader.leb();
          const name = reader.text();
          if (!names.has(name)) names.set(name, index);
        }
      reader.at = end;
    }
  }
  return names;
};
