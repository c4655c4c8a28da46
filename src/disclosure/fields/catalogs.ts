/** Caches compiled catalogs and answers as long as their sources exist. */
import { LRUCache } from 'lru-cache';
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import { Automaton } from './automaton.ts';
import { compileEnvelope } from './envelope.ts';
import type { Envelope } from '../formats/format.ts';
import { canonicalPointer, type Instructions, instruct, type TreatmentSet } from './program.ts';
import type { TreatmentContext } from '../treatments/treatment.ts';

/** cached sets of extra pointers for each catalog; a policy that derives pointers from data would have more */
const EXTENSIONS = 64;
const ENVELOPES = 64;
/** Prepared treatments hold the key that was current when they were prepared: after a rotation the old key is used for at most this long. */
const PREPARED_MS = 60_000;
/** cached combinations of recipient, purpose and scope for each answer */
const PREPARED = 64;

interface Prepared {
  readonly since: number;
  readonly all: {
    readonly automaton: Automaton;
    readonly scope: number;
    readonly answers: readonly DisclosureAnswer[];
    readonly context: TreatmentContext;
    readonly instructions: Instructions;
  }[];
}

export class CompiledCatalog {
  readonly catalog: Catalog;
  readonly catalogs: ReadonlyMap<string, Catalog>;
  readonly base: Automaton;
  readonly #envelopes = new LRUCache<string, Envelope>({ max: ENVELOPES });
  readonly #extended = new LRUCache<string, Automaton>({ max: EXTENSIONS });
  /** by answer and resource: equal answers about two resources are one object */
  readonly #extra = new WeakMap<DisclosureAnswer, Map<string, readonly string[]>>();
  readonly #known = new Map<string, ReadonlySet<string>>();

  constructor(catalog: Catalog, catalogs: ReadonlyMap<string, Catalog>) {
    this.catalog = catalog;
    this.catalogs = catalogs;
    this.base = new Automaton(catalog, catalogs);
  }

  envelope(records: string | null): Envelope {
    const name = records === null ? 'whole' : `at ${records}`;
    let envelope = this.#envelopes.get(name);
    if (!envelope) {
      envelope = compileEnvelope(this.catalog, records);
      this.#envelopes.set(name, envelope);
    }
    return envelope;
  }

  /** Pointers that an answer names and the catalog of its resource does not. */
  extra(catalog: Catalog, answer: DisclosureAnswer): readonly string[] {
    let byResource = this.#extra.get(answer);
    if (byResource === undefined) {
      byResource = new Map();
      this.#extra.set(answer, byResource);
    }
    let extra = byResource.get(catalog.resource);
    if (extra === undefined) {
      extra = this.#extraOf(catalog, answer);
      byResource.set(catalog.resource, extra);
    }
    return extra;
  }

  #extraOf(catalog: Catalog, answer: DisclosureAnswer): readonly string[] {
    const pointers = Object.keys(answer.fields);
    if (pointers.length === 0) return pointers;
    let known = this.#known.get(catalog.resource);
    if (!known) {
      // an embedded resource is no field: an answer that names it needs an extended automaton
      const fields = Object.entries(catalog.fields).filter(([, entry]) => !('resource' in entry));
      known = new Set(fields.map(([pointer]) => canonicalPointer(pointer)));
      this.#known.set(catalog.resource, known);
    }
    return pointers.map(canonicalPointer).filter((pointer) => !known.has(pointer));
  }

  extended(extra: ReadonlyMap<string, ReadonlySet<string>>): Automaton {
    if (extra.size === 0) return this.base;
    const wanted = [...extra].map(([resource, pointers]) => [resource, [...pointers].sort()] as const);
    const key = JSON.stringify(wanted.sort((a, b) => (a[0] < b[0] ? -1 : 1)));
    let automaton = this.#extended.get(key);
    if (!automaton) {
      automaton = new Automaton(this.catalog, this.catalogs, new Map(wanted));
      this.#extended.set(key, automaton);
    }
    return automaton;
  }
}

export class CatalogCache {
  readonly #byCatalog = new WeakMap<Catalog, CompiledCatalog>();
  readonly #byAnswer = new WeakMap<DisclosureAnswer, Prepared>();

  compile(catalog: Catalog, catalogs: ReadonlyMap<string, Catalog>): CompiledCatalog {
    const known = this.#byCatalog.get(catalog);
    if (known && known.catalogs === catalogs) return known;
    const compiled = new CompiledCatalog(catalog, catalogs);
    this.#byCatalog.set(catalog, compiled);
    return compiled;
  }

  /** Compiles the answers, the strictest for each field. Cached by the first of them. */
  instructions(
    automaton: Automaton,
    scope: number,
    answers: readonly DisclosureAnswer[],
    treatments: TreatmentSet,
  ): Instructions {
    const now = performance.now();
    const first = answers[0]!;
    let prepared = this.#byAnswer.get(first);
    if (!prepared || now - prepared.since > PREPARED_MS) {
      prepared = { since: now, all: [] };
      this.#byAnswer.set(first, prepared);
    }
    const { context } = treatments;
    const { recipient, purpose } = context;
    for (const one of prepared.all) {
      if (one.automaton !== automaton || one.scope !== scope || !same(one.answers, answers)) continue;
      if (one.context.recipient === recipient && one.context.purpose === purpose) return one.instructions;
    }
    const instructions = instruct(automaton, scope, answers, treatments);
    if (prepared.all.length < PREPARED)
      prepared.all.push({ automaton, scope, answers, context, instructions });
    return instructions;
  }
}

const same = (a: readonly DisclosureAnswer[], b: readonly DisclosureAnswer[]): boolean =>
  a.length === b.length && a.every((answer, n) => answer === b[n]);
