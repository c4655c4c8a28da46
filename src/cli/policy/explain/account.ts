/** Explains a request: the verdict with its reasons, and for every field class, treatment, reason, rule and data. */
import { fieldsOf } from '../../../disclosure/fields/outcomes.ts';
import { Retained } from '../../../disclosure/session/retained.ts';
import { outsideOf } from '../../../disclosure/session/filtered.ts';
import { WRITES } from '../../../model/actions.ts';
import type { DecisionAnswer, DisclosureAnswer } from '../../../model/answers.ts';
import type { DisclosureInput, PolicyInput } from '../../../model/input.ts';
import { filterText } from '../../../model/record-filter.ts';
import { withoutCategories, asRead, disclosureInput, withheldBy } from '../../../model/verdict.ts';
import { decide } from '../../../pipeline/authorize.ts';
import { SluiceError } from '../../../errors.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import { classesOf } from '../../../policy/catalog/classes.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { Blamer, type Blame } from './blame.ts';
import type { NamedPolicy } from '../source.ts';
import { stage, type Staged } from '../stage.ts';
import { queriesOf } from './trace.ts';
import { parseTrees } from './tree.ts';

export interface StateAsked {
  readonly resource: string;
  readonly data_subject: DisclosureInput['data_subject'];
  readonly attributes: DisclosureInput['record']['attributes'];
  /** number of records; null: none was inspected */
  readonly count: number | null;
  /** the query was about what is shown, not about what is written */
  readonly shown?: boolean;
  /** `attributes` are those of a record that was given, so that a `record_filter` can be applied */
  readonly given?: boolean;
}

export interface ExplainedReason {
  readonly code: string;
  readonly message?: string;
  readonly blame: Blame;
}

export interface ExplainedClass {
  /** class, or single field named in the answer */
  readonly name: string;
  readonly do: string;
  readonly because: string;
  readonly blame: Blame;
  /** catalog pointers that it applies to */
  readonly fields: readonly string[];
}

export interface ExplainedState extends StateAsked {
  readonly disclose: boolean;
  readonly reasons: readonly ExplainedReason[];
  readonly classes: readonly ExplainedClass[];
}

export interface Explanation {
  readonly input: PolicyInput;
  readonly decision: Omit<DecisionAnswer, 'reasons'> & { readonly reasons: readonly ExplainedReason[] };
  readonly states: readonly ExplainedState[];
  /** why rules and data are not named */
  readonly untraced: string | null;
}

const UNKNOWN: Blame = { rule: null, data: [] };

/** Maximum of concurrent traces, since they are large. */
const AT_ONCE = 2;

export class Explainer {
  readonly #policy: LivePolicy;
  readonly #opa: Opa;
  readonly #staged: Staged;
  readonly #blamer: Blamer;

  private constructor(policy: LivePolicy, opa: Opa, staged: Staged, blamer: Blamer) {
    this.#policy = policy;
    this.#opa = opa;
    this.#staged = staged;
    this.#blamer = blamer;
  }

  /** null: the bundle has no source of rules, so nothing can be traced */
  static async open(named: NamedPolicy, policy: LivePolicy, opa: Opa): Promise<Explainer | null> {
    if (named.files.rego.length === 0) return null;
    const staged = await stage(named.files, named.bundle.dataJson);
    const trees = await parseTrees(opa, staged, named.files.rego);
    return new Explainer(policy, opa, staged, new Blamer(trees, named.bundle.data, named.files.data));
  }

  close(): Promise<void> {
    return this.#staged.remove();
  }

  /** Finds the rules for codes of an answer. */
  async reasons(
    query: 'data.sluice.decision' | 'data.sluice.disclosure',
    input: object,
    reasons: DecisionAnswer['reasons'],
  ): Promise<ExplainedReason[]> {
    if (reasons.length === 0) return [];
    const queries = await this.#trace(query, input);
    return reasons.map((r) => ({
      ...r,
      blame: this.#blamer.blame(queries, r.code, { words: [r.code], outcome: null }),
    }));
  }

  async classes(
    input: DisclosureInput,
    entries: readonly { readonly name: string; readonly do: string; readonly because: string }[],
  ): Promise<Blame[]> {
    const known = this.#classEntries(input.resource.type);
    const blames: Blame[] = [];
    for (let i = 0; i < entries.length; i += AT_ONCE)
      blames.push(
        ...(await Promise.all(
          entries.slice(i, i + AT_ONCE).map(async (entry) => {
            const cls = known.find((k) => k.class === entry.name);
            // With only this class in the input, the trace concerns only this class.
            const narrowed =
              cls === undefined
                ? ''
                : ` with data.classes as ${JSON.stringify({ [input.resource.type]: [cls] })}`;
            const queries = await this.#trace(`data.sluice.disclosure${narrowed}`, input);
            return this.#blamer.blame(queries, entry.because, {
              words: cls === undefined ? [entry.name] : [cls.category, String(cls.grade), cls.class],
              outcome: entry.do,
            });
          }),
        )),
      );
    return blames;
  }

  #classEntries(resource: string) {
    const catalog = this.#policy.catalogs.get(resource);
    return catalog === undefined ? [] : classesOf(catalog);
  }

  async #trace(query: string, input: object): Promise<ReturnType<typeof queriesOf>> {
    const run = await this.#opa.run(
      [
        'eval',
        '--format',
        'json',
        '--explain',
        'full',
        '-d',
        this.#staged.rego,
        '-d',
        this.#staged.data,
        '--stdin-input',
        query,
      ],
      { cwd: this.#staged.dir, stdin: JSON.stringify(input) },
    );
    if (run.code !== 0) throw new SluiceError('opa_failed', `OPA could not trace ${query}.`);
    return queriesOf((JSON.parse(run.stdout) as { explanation?: unknown }).explanation ?? []);
  }
}

/**
 * @param seen pointers that occurred, if known: others are omitted
 * @param explainer null: rules and data are not named
 */
export async function explain(
  policy: LivePolicy,
  explainer: Explainer | null,
  input: PolicyInput,
  states: readonly StateAsked[],
  seen: ReadonlySet<string> | null,
): Promise<Explanation> {
  const { answer, filter, retention, input: inForce } = decide(policy, input);
  const untraced =
    explainer === null ? 'the bundle was not built by `sluice build`: it has no rules to look at' : null;
  const reasons =
    (await explainer?.reasons('data.sluice.decision', input, answer.reasons)) ??
    answer.reasons.map((r) => ({ ...r, blame: UNKNOWN }));
  const retained = new Retained(retention);
  /** categories of which nothing is left, of a record that was given */
  const over = ({ resource, attributes, given }: StateAsked): ReadonlyMap<string, string> =>
    given === true ? retained.overIn(resource, attributes) : new Map();
  const explained: ExplainedState[] = [];
  for (const state of answer.allow ? states : []) {
    // What is shown of a written record is decided as for a read.
    const shown = WRITES.has(input.action.name) && state.shown === true ? asRead(inForce) : inForce;
    const codes =
      filter === null || state.given !== true ? null : outsideOf(filter, state.resource, state.attributes);
    if (codes !== null) {
      const reasons = codes.map((code) => ({ code, message: filterText(filter!), blame: UNKNOWN }));
      explained.push({ ...state, disclose: false, reasons, classes: [] });
      continue;
    }
    const asked = disclosureInput(shown, state.resource, state.data_subject, state.attributes);
    explained.push(
      await explainState(policy, explainer, asked, state, seen, input.resource.type, over(state)),
    );
  }
  return { input, decision: { ...answer, reasons }, states: explained, untraced };
}

async function explainState(
  policy: LivePolicy,
  explainer: Explainer | null,
  asked: DisclosureInput,
  state: StateAsked,
  seen: ReadonlySet<string> | null,
  outer: string,
  over: ReadonlyMap<string, string>,
): Promise<ExplainedState> {
  const said = policy.disclose(asked);
  const catalog = policy.catalogs.get(state.resource);
  const answer = over.size === 0 || catalog === undefined ? said : withoutCategories(said, catalog, over);
  const reasons =
    (await explainer?.reasons('data.sluice.disclosure', asked, answer.reasons)) ??
    answer.reasons.map((r) => ({ ...r, blame: UNKNOWN }));
  const entries = withheldBy(answer) === null ? entriesOf(policy, state.resource, answer, seen, outer) : [];
  const blames = (await explainer?.classes(asked, entries)) ?? entries.map(() => UNKNOWN);
  return {
    ...state,
    disclose: answer.disclose,
    reasons,
    classes: entries.map((e, i) => ({ ...e, blame: blames[i] ?? UNKNOWN })),
  };
}

function entriesOf(
  policy: LivePolicy,
  resource: string,
  answer: DisclosureAnswer,
  seen: ReadonlySet<string> | null,
  outer: string,
): Omit<ExplainedClass, 'blame'>[] {
  const catalog = policy.catalogs.get(resource);
  if (catalog === undefined) return [];
  const entries = new Map<string, { name: string; do: string; because: string; fields: string[] }>();
  for (const { path, pointer, resource: of, cls, outcome } of fieldsOf(policy.catalogs, catalog, () => answer)
    .all) {
    // An embedded resource has its own query.
    if (
      of !== resource ||
      path !== pointer ||
      (seen !== null && !occurs(pointer, resource, outer, policy, seen))
    )
      continue;
    const name = cls === null || Object.hasOwn(answer.fields, pointer) ? pointer : cls;
    const key = JSON.stringify([name, outcome.do, outcome.because]);
    const entry = entries.get(key) ?? { name, do: outcome.do, because: outcome.because, fields: [] };
    entries.set(key, entry);
    entry.fields.push(pointer);
  }
  return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Paths in a record start at the outermost record; those of an embedded resource are prefixed with its field. */
function occurs(
  pointer: string,
  resource: string,
  outer: string,
  policy: LivePolicy,
  seen: ReadonlySet<string>,
): boolean {
  if (resource === outer && seen.has(pointer)) return true;
  for (const catalog of policy.catalogs.values())
    for (const [holder, entry] of Object.entries(catalog.fields)) {
      if (!('resource' in entry) || entry.resource !== resource) continue;
      for (const path of seen) if (path.endsWith(`${holder}${pointer}`)) return true;
    }
  return false;
}
