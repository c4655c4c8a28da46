/**
 * Checks what an entrypoint answered, and freezes it. Strict, because a typing error must not grant access: `alow: true` must not be
 * read as no answer, nor `obligation:` as no obligations. (Pomerium once read a malformed `deny` as false.)
 */
import {
  type DecisionAnswer,
  type DisclosureAnswer,
  type Obligations,
  type Reason,
  TREATMENTS,
  type TreatmentChoice,
} from '../../model/answers.ts';
import type { AdminAnswer } from '../../model/administration.ts';
import { OBLIGATIONS } from '../../model/obligations.ts';
import { isObject } from '../../documents/yaml.ts';

/** The message has a path and the rule that is broken, and never a value. */
export class Malformed extends Error {}

const fail = (path: string, rule: string): never => {
  throw new Malformed(`${path} ${rule}`);
};

type Members = { readonly [key: string]: unknown };

const members = (value: unknown, path: string, known: readonly string[] | null): Members => {
  if (!isObject(value)) return fail(path, 'is not an object');
  if (known !== null)
    for (const key of Object.keys(value)) if (!known.includes(key)) fail(path, 'has an unknown member');
  return value;
};

const reasonsOf = (value: unknown): readonly Reason[] => {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return fail('reasons', 'is not a list');
  return value.map((r: unknown): Reason => {
    const reason = members(r, 'reasons', ['code', 'message']);
    const { code, message } = reason;
    if (typeof code !== 'string' || code === '') return fail('reasons', 'has an entry without a code');
    if (message === undefined || message === null) return { code };
    return typeof message === 'string'
      ? { code, message }
      : fail('reasons', 'has a message that is not text');
  });
};

const obligationsOf = (value: unknown): Obligations => {
  if (value === undefined || value === null) return {};
  const named = members(value, 'obligations', null);
  // One that nobody knows is no fault here: the request is denied unless something fulfils it.
  for (const [name, v] of Object.entries(named))
    if (v !== null && OBLIGATIONS[name]?.isValid(v) === false)
      fail(`obligations.${name}`, 'has a value of the wrong kind');
  return named as Obligations;
};

/** @throws Malformed */
export const decisionOf = (value: unknown): DecisionAnswer => {
  const a = members(value, 'the answer', ['allow', 'reasons', 'tier', 'obligations']);
  if (typeof a['allow'] !== 'boolean') return fail('allow', 'is not true or false');
  const tier = a['tier'] ?? null;
  if (tier !== null && tier !== 1 && tier !== 2 && tier !== 3) return fail('tier', 'is not 1, 2, 3 or null');
  return freeze({
    allow: a['allow'],
    reasons: reasonsOf(a['reasons']),
    tier,
    obligations: obligationsOf(a['obligations']),
  });
};

/** @throws Malformed */
export const adminOf = (value: unknown): AdminAnswer => {
  const a = members(value, 'the answer', ['allow', 'reasons', 'step_up']);
  if (typeof a['allow'] !== 'boolean') return fail('allow', 'is not true or false');
  const stepUp = a['step_up'] ?? null;
  if (stepUp !== null && typeof stepUp !== 'string') return fail('step_up', 'is not text or null');
  return freeze({ allow: a['allow'], reasons: reasonsOf(a['reasons']), step_up: stepUp });
};

const choicesOf = (value: unknown, path: string): { readonly [key: string]: TreatmentChoice } => {
  const choices: { [key: string]: TreatmentChoice } = Object.create(null);
  if (value === undefined) return choices;
  for (const [key, v] of Object.entries(members(value, path, null))) {
    const choice = members(v, path, ['do', 'because', 'with']);
    if (!(TREATMENTS as readonly unknown[]).includes(choice['do'])) fail(path, 'has an unknown treatment');
    if (typeof choice['because'] !== 'string' || choice['because'] === '')
      fail(path, 'has an entry without because');
    if (choice['with'] !== undefined) members(choice['with'], `${path} with`, null);
    choices[key] = choice as unknown as TreatmentChoice;
  }
  return choices;
};

/** @throws Malformed */
export const disclosureOf = (value: unknown): DisclosureAnswer => {
  const a = members(value, 'the answer', ['disclose', 'reasons', 'classes', 'fields']);
  if (typeof a['disclose'] !== 'boolean') return fail('disclose', 'is not true or false');
  return freeze({
    disclose: a['disclose'],
    reasons: reasonsOf(a['reasons']),
    classes: choicesOf(a['classes'], 'classes'),
    fields: choicesOf(a['fields'], 'fields'),
  });
};

const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const v of Object.values(value)) freeze(v);
  }
  return value;
};
