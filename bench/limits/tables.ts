/** Tables that are looked up for every request, and files that are read at once. */
import { parseConsents } from '../../src/consent/document.ts';
import { ask, route, routerOf } from '../../test/routing/setup.ts';
import type { Limit } from './run.ts';

const router = routerOf(
  ...Array.from({ length: 1000 }, (_, i) => route(`GET /api/r${i}/{id}`, { id: '{id}' })),
);
const people = Array.from(
  { length: 10_000 },
  (_, i) =>
    `  C${i}: { consents: [{ purpose: p, categories: [c], recipient: internal, status: given, from: 2026-01-01 }] }`,
).join('\n');

export const tables: readonly Limit[] = [
  {
    name: 'ten thousand requests for a thousand routes under one prefix',
    measured: [
      () => {
        for (let i = 0; i < 10_000; i++) ask(router, 'GET', `/api/r${i % 1000}/7`);
      },
    ],
  },
  {
    name: 'consents of ten thousand people are read',
    measured: [() => parseConsents(`version: 1\ndata_subjects:\n${people}`, 'consents.yaml')],
  },
];
