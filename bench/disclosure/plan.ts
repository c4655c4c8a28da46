/** The plan that every contestant carries out, and the same for those who work on parsed values. */
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import { mask } from '../../src/disclosure/treatments/mask.ts';
import type { Treat } from '../../src/disclosure/treatments/treatment.ts';
import type { DisclosureAnswer, TreatmentChoice, TreatmentName } from '../../src/model/answers.ts';
import { type Catalog, classOf, type FieldEntry } from '../../src/model/catalog.ts';
import type { DisclosurePlan } from '../../src/model/disclosure.ts';

export const field = (category: string, grade: number, more: object = {}): FieldEntry => ({
  category,
  grade,
  ...more,
});

/** `policies/catalog/customer.yaml`, abridged to what the records have */
export const catalog: Catalog = {
  resource: 'customer',
  data_subject: ['/id'],
  attributes: {},
  fields: {
    '/id': field('reference', 1),
    '/name': field('identity', 3, { mask: 'person_name' }),
    '/id_number': field('identity', 4, { mask: 'national_id' }),
    '/gender': field('identity', 3, { mask: 'generic' }),
    '/birth_date': field('identity', 3, { mask: 'generic' }),
    '/phone': field('contact', 3, { mask: 'phone' }),
    '/email': field('contact', 3, { mask: 'email' }),
    '/address/province': field('contact', 2),
    '/address/city': field('contact', 2),
    '/address/street': field('contact', 3, { mask: 'address' }),
    '/address/postcode': field('contact', 3, { mask: 'generic' }),
    '/orders/*/order_no': field('reference', 2),
    '/orders/*/date': field('transaction', 2),
    '/orders/*/item': field('transaction', 2),
    '/orders/*/amount': field('transaction', 2),
    '/orders/*/status': field('transaction', 2),
    '/preferences': field('preference', 2, { whole: true }),
    '/bank_card': field('financial', 4, { mask: 'bank_card' }),
    '/notes': field('free_text', 2),
    '/vip': field('preference', 3),
    '/created_at': field('transaction', 2),
  },
  envelope: { '/page': { is: 'status' } },
};

export const says = (what: TreatmentName): TreatmentChoice => ({ do: what, because: 'bench' });

/** what a support agent of the default policy sees: two masks a record, five fields dropped */
export const answer: DisclosureAnswer = {
  disclose: true,
  reasons: [],
  classes: {
    'reference/1': says('disclose'),
    'reference/2': says('disclose'),
    'transaction/2': says('disclose'),
    'preference/2': says('disclose'),
    'free_text/2': says('disclose'),
    'contact/2': says('disclose'),
    'contact/3': says('drop'),
    'identity/3': says('disclose'),
    'identity/4': says('drop'),
    'financial/4': says('drop'),
  },
  fields: { '/phone': says('mask'), '/name': says('mask') },
};

export const keys = {
  secret: () => ({ id: 'bench', bytes: Buffer.alloc(32) }),
  recipient: () => {
    throw new Error('nothing is encrypted here');
  },
};

/** data-subject digests belong to the decision record and are measured with it */
export const stage = createDisclosureStage({ keys, dataSubject: () => 'hmac:bench:0' });

const STATE = Object.freeze({ consents: Object.freeze([]), flags: Object.freeze([]) });
export const plan: DisclosurePlan = {
  format: 'json',
  charset: 'utf-8',
  catalog,
  catalogs: new Map([['customer', catalog]]),
  records: '/items/*',
  dataSubject: null,
  obligations: {},
  recipient: 'internal',
  purpose: 'after_sales',
  decisionId: 'bench',
  options: {},
  consents: async (ids) => new Map(ids.map((id) => [id, STATE])),
  ask: () => answer,
};

/** A redaction as a careful engineer writes it for parsed JSON: an allow-list, compiled once to a tree. */
export type Rule = Treat | 'keep' | Map<string, Rule>;

export function compiled(): Map<string, Rule> {
  const root = new Map<string, Rule>();
  for (const [pointer, entry] of Object.entries(catalog.fields)) {
    if ('resource' in entry) continue;
    const choice = answer.fields[pointer] ?? answer.classes[classOf(entry)] ?? says('drop');
    if (choice.do === 'drop') continue;
    const tokens = pointer.slice(1).split('/');
    const last = tokens.pop()!;
    let at = root;
    for (const token of tokens) {
      if (!at.has(token)) at.set(token, new Map());
      at = at.get(token) as Map<string, Rule>;
    }
    const context = { recipient: 'internal', purpose: 'after_sales', keys };
    at.set(last, choice.do === 'mask' ? mask.prepare(entry, choice, context) : 'keep');
  }
  return root;
}

export function redact(value: unknown, rule: Rule): unknown {
  if (rule === 'keep') return value;
  if (typeof rule === 'function') {
    const treated = rule({ kind: 'string', text: String(value) });
    return treated === 'drop' || treated.kind === 'null' ? null : treated.text;
  }
  if (Array.isArray(value)) {
    const each = rule.get('*');
    return each === undefined ? [] : value.map((element) => redact(element, each));
  }
  if (typeof value !== 'object' || value === null) return null;
  const kept: { [name: string]: unknown } = {};
  for (const name in value) {
    const inner = rule.get(name);
    if (inner !== undefined) kept[name] = redact((value as { [name: string]: unknown })[name], inner);
  }
  return kept;
}
