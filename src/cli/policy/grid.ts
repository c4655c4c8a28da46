/** The disclosure matrix: a policy asked about every combination of its axes. */
import type { DisclosureAnswer, TreatmentName } from '../../model/answers.ts';
import type { DisclosureInput, PolicyInput, Subject, Tier } from '../../model/input.ts';
import { classOf, writeModeOf } from '../../model/catalog.ts';
import { NO_STATE } from '../../model/consent.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import type { Axes, AxesOptions } from './axes.ts';

export interface Cell {
  readonly do: TreatmentName | 'withheld' | 'denied';
  readonly because: string;
}

/** What one caller gets of one resource in one way of asking. */
export interface Row {
  readonly role: string;
  readonly purpose: string;
  /** in force; null: the policy has no tiers */
  readonly tier: Tier | null;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
  /** state → class, or single field → what is done */
  readonly states: { readonly [state: string]: { readonly [cls: string]: Cell } };
  /** what may be written, of somebody who agreed to everything; null: this caller writes nothing here */
  readonly writes: Writes | null;
}

export interface Writes {
  readonly action: string;
  /** class, or single field → whether it may be written, and why */
  readonly may: { readonly [cls: string]: { readonly write: boolean; readonly because: string } };
}

export interface Denied {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly reasons: readonly string[];
}

export interface Grid {
  readonly revision: string;
  readonly name: string;
  readonly rows: readonly Row[];
  /** combinations that are refused whatever the tier and the action */
  readonly denied: readonly Denied[];
  readonly cells: number;
}

export const combinations = (axes: Axes): number =>
  axes.roles.length * axes.purposes.length * axes.recipients.length * axes.resources.length;

export function gridOf(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  step: () => void = () => undefined,
): Grid {
  const rows: Row[] = [];
  const denied: Denied[] = [];
  let cells = 0;
  for (const role of axes.roles)
    for (const purpose of axes.purposes)
      for (const recipient of axes.recipients)
        for (const resource of axes.resources) {
          const { found, reasons } = waysIn(policy, axes, options, { role, purpose, recipient, resource });
          if (found.length === 0) denied.push({ role, purpose, recipient, resource, reasons });
          for (const { input, tier } of found) {
            const states: { [state: string]: { [cls: string]: Cell } } = {};
            for (const state of axes.states) {
              const answer = policy.disclose({
                ...input,
                data_subject: state.of(purpose, recipient),
                record: { attributes: {} },
              } satisfies DisclosureInput);
              const line = cellsOf(answer, axes.classes.get(resource) ?? []);
              cells += Object.keys(line).length;
              states[state.name] = line;
            }
            rows.push({
              role,
              purpose,
              tier,
              recipient,
              resource,
              action: input.action.name,
              states,
              writes: writesOf(policy, axes, input),
            });
          }
          step();
        }
  return { revision: policy.revision, name: policy.bundle, rows, denied, cells };
}

const WRITES = ['update', 'create'] as const;

/** The same caller who writes: as the policy answers, but for what the catalog and the data let nobody write. */
function writesOf(policy: PolicySnapshot, axes: Axes, input: PolicyInput): Writes | null {
  const { type } = input.resource;
  const state = axes.states.find(({ name }) => name === 'agreed');
  const data_subject = state?.of(input.context.purpose, input.context.recipient) ?? NO_STATE;
  for (const name of WRITES) {
    const asked = { ...input, action: { ...input.action, name } };
    if (!policy.decide(asked).allow) continue;
    const answer = policy.disclose({ ...asked, data_subject, record: { attributes: {} } });
    const cells = cellsOf(answer, axes.classes.get(type) ?? []);
    const may: { [cls: string]: { write: boolean; because: string } } = Object.create(null);
    for (const [cls, cell] of Object.entries(cells))
      may[cls] = { write: cell.do === 'disclose', because: cell.because };
    for (const [pointer, entry] of Object.entries(policy.catalogs.get(type)?.fields ?? {})) {
      if (!('category' in entry) || writeModeOf(entry, policy.data) !== 'never') continue;
      const never = { write: false, because: 'write_never' };
      // a class of which every field is never written by its category is told once
      if (entry.write === undefined) may[classOf(entry)] = never;
      else may[pointer] = never;
    }
    return { action: name, may };
  }
  return null;
}

interface Way {
  readonly input: PolicyInput;
  readonly tier: Tier | null;
}

interface Question {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
}

/** The ways of asking that are allowed, one for each tier in force: the first subject and action that get through. */
function waysIn(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  question: Question,
): { found: Way[]; reasons: string[] } {
  const found = new Map<Tier | null, Way>();
  const reasons = new Set<string>();
  for (const tier of axes.tiers) {
    if (found.has(tier)) continue;
    const way = firstAllowed(policy, axes, options, question, tier, reasons);
    if (way !== null && !found.has(way.tier)) found.set(way.tier, way);
  }
  return { found: [...found.values()], reasons: [...reasons].sort() };
}

function firstAllowed(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  { role, purpose, recipient, resource }: Question,
  tier: Tier | null,
  reasons: Set<string>,
): Way | null {
  for (const subject of axes.subjects(role, recipient))
    for (const action of axes.actions) {
      const asked = inputOf(subject, action, resource, purpose, recipient, tier, options);
      const answer = policy.decide(asked);
      if (!answer.allow) {
        if (tier === null) for (const { code } of answer.reasons) reasons.add(code);
        continue;
      }
      const inForce = answer.tier ?? tier;
      return { tier: inForce, input: { ...asked, context: { ...asked.context, tier: inForce } } };
    }
  return null;
}

export function inputOf(
  subject: Subject,
  action: string,
  resource: string,
  purpose: string,
  recipient: string,
  tier: Tier | null,
  { justification, at }: Pick<AxesOptions, 'justification' | 'at'>,
): PolicyInput {
  return {
    subject,
    action: { name: action, properties: { query_fields: [], body_fields: [] } },
    resource: { type: resource, properties: {} },
    context: {
      purpose,
      tier,
      recipient,
      justification,
      time: at,
      grants: [],
      request: { method: 'GET', route: `GET /${resource}`, client_ip: null },
    },
  };
}

/** class (or pointer of a single field) → what is done; a class that the answer does not name is dropped */
export function cellsOf(answer: DisclosureAnswer, classes: readonly string[]): { [cls: string]: Cell } {
  const cells: { [cls: string]: Cell } = Object.create(null);
  if (!answer.disclose) {
    const because =
      answer.reasons
        .map((r) => r.code)
        .sort()
        .join(', ') || 'withheld';
    for (const cls of classes) cells[cls] = { do: 'withheld', because };
    return cells;
  }
  for (const cls of classes) {
    const choice = answer.classes[cls];
    cells[cls] =
      choice === undefined
        ? { do: 'drop', because: 'class_not_named' }
        : { do: choice.do, because: choice.because };
  }
  for (const [pointer, choice] of Object.entries(answer.fields))
    cells[pointer] = { do: choice.do, because: choice.because };
  return cells;
}
