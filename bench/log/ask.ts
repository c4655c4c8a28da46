/** Times the questions of an auditor. */
import type { DecisionQuery } from '../../src/decision-log/index/query.ts';
import type { IndexStore } from '../../src/decision-log/index/store.ts';
import { customer, DAYS, FROM } from './drafts.ts';

const DAY = 86_400_000;

const at = (days: number): string => new Date(FROM + days * DAY).toISOString();
const questions: readonly (readonly [name: string, make: (i: number) => DecisionQuery])[] = [
  ['one customer', (i) => ({ data_subject: customer(i * 4871) })],
  ['one customer with many requests', (i) => ({ data_subject: customer(i) })],
  ['one employee in a week', (i) => ({ subject: `u-${i * 19}`, since: at(i), until: at(i + 7) })],
  [
    'a path that was released in a month',
    (i) => ({ path: '/bank_card', released: true, since: at(i), until: at(i + 30) }),
  ],
  ['an employee and a path', (i) => ({ subject: `u-${i * 17}`, path: '/bank_card', released: true })],
  [
    'denied with a reason',
    (i) => ({ outcome: 'denied', reason: ['locked', 'clearance_too_low'][i % 2]!, until: at(DAYS - i) }),
  ],
  ['a recipient', (i) => ({ recipient: `partner-${1 + (i % 12)}` })],
  ['a grant', (i) => ({ grant_id: `g-${i}` })],
  ['what does not exist', (i) => ({ reason: `absent_${i}` })],
  ['a page in the middle', (i) => ({ purpose: 'billing', until: at(DAYS / 2 + i / 2) })],
]; // prettier-ignore
const TIMES = 40;

/** Lines of a Markdown table: each question in as many variants as it is asked. */
export async function ask(store: IndexStore): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, make] of questions) {
    const times: number[] = [];
    let found = 0;
    for (let i = 0; i < TIMES; i++) {
      const query = make(i);
      const began = performance.now();
      found += (await store.query(query)).decisions.length;
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    const part = (q: number): string => times[Math.floor(TIMES * q)]!.toFixed(1);
    lines.push(`| ${name} | ${store.name} | ${part(0.5)} | ${part(0.95)} | ${(found / TIMES).toFixed(1)} |`);
  }
  return lines;
}
