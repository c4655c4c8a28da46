/** Removes members from a JSON body. The rest is byte for byte what the caller sent. */
import type { Place } from './leaf.ts';

/** The members to remove, as a tree of names and positions. */
interface Cut {
  readonly within: Map<string | number, Cut>;
  gone: boolean;
}

/**
 * @param bytes a well-formed JSON text in UTF-8
 * @param gone places of members of objects
 * @param records containers that are kept when they become empty, with their containers; others are removed, since an empty object would
 *   erase what is stored
 */
export function without(bytes: Uint8Array, gone: readonly Place[], records: readonly Place[]): Uint8Array {
  const root = cut();
  for (const place of gone) at(root, place).gone = true;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const kept = new Set(records.flatMap((place) => place.map((_, n) => pathOf(place.slice(0, n + 1)))));
  return Buffer.from(new Splicer(text, kept).run(root), 'utf8');
}

const cut = (): Cut => ({ within: new Map(), gone: false });
const pathOf = (place: Place): string => JSON.stringify(place);

function at(root: Cut, place: Place): Cut {
  let node = root;
  for (const step of place) {
    const next = node.within.get(step) ?? cut();
    node.within.set(step, next);
    node = next;
  }
  return node;
}

class Splicer {
  readonly #text: string;
  readonly #kept: ReadonlySet<string>;
  readonly #cuts: { readonly from: number; readonly to: number }[] = [];
  #at = 0;

  constructor(text: string, kept: ReadonlySet<string>) {
    this.#text = text;
    this.#kept = kept;
  }

  run(root: Cut): string {
    this.#blanks();
    this.#value(root, []);
    let out = '';
    let from = 0;
    // a removed member may contain members that were removed before
    for (const cut of this.#cuts.sort((a, b) => a.from - b.from || b.to - a.to)) {
      if (cut.to <= from) continue;
      out += this.#text.slice(from, Math.max(from, cut.from));
      from = cut.to;
    }
    return out + this.#text.slice(from);
  }

  /** @returns whether the value became empty */
  #value(cut: Cut | undefined, place: Place): boolean {
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(cut, place);
    if (first === '[') this.#array(cut, place);
    else if (first === '"') this.#string();
    else while (this.#at < this.#text.length && !/[\s,\]}]/.test(this.#text[this.#at]!)) this.#at++;
    return false;
  }

  #object(cut: Cut | undefined, place: Place): boolean {
    const members: { readonly from: number; readonly to: number; readonly gone: boolean }[] = [];
    this.#at++;
    this.#blanks();
    while (this.#text[this.#at] !== '}') {
      const from = this.#at;
      const name = JSON.parse(this.#string()) as string;
      this.#blanks();
      this.#at++; // the colon
      this.#blanks();
      const below = cut?.within.get(name);
      const emptied = this.#value(below, [...place, name]);
      const gone = below?.gone === true || (emptied && !this.#kept.has(pathOf([...place, name])));
      members.push({ from, to: this.#at, gone });
      this.#next();
    }
    this.#at++;
    this.#leaveOut(members);
    return members.length > 0 && members.every(({ gone }) => gone);
  }

  /** A comma is removed with the member after it, or with the first member if no member before it is kept. */
  #leaveOut(
    members: readonly { readonly from: number; readonly to: number; readonly gone: boolean }[],
  ): void {
    let kept: number | null = null;
    for (const [n, { from, to, gone }] of members.entries()) {
      if (!gone) kept = to;
      else if (kept !== null) this.#cuts.push({ from: kept, to });
      else this.#cuts.push({ from, to: members[n + 1]?.from ?? to });
      if (gone && kept !== null) kept = to;
    }
  }

  #array(cut: Cut | undefined, place: Place): void {
    this.#at++;
    this.#blanks();
    for (let n = 0; this.#text[this.#at] !== ']'; n++) {
      this.#value(cut?.within.get(n), [...place, n]);
      this.#next();
    }
    this.#at++;
  }

  /** Moves to the next member or element, or to the closing bracket. */
  #next(): void {
    this.#blanks();
    if (this.#text[this.#at] === ',') this.#at++;
    this.#blanks();
  }

  #string(): string {
    const from = this.#at++;
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    return this.#text.slice(from, ++this.#at);
  }

  #blanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }
}
