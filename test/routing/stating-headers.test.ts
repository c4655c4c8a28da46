/** What a request states about its use is read from named headers only, so that a memo of it can be told by their values. */
import { expect, test } from 'vitest';
import { resolvePurpose, statingHeaders } from '../../src/routing/index.ts';

test('reads no other headers than the ones it names', () => {
  const config = {
    header: 'X-Purpose',
    claim: 'purpose',
    default: null,
    justification: 100,
    recipients: {},
  } as never;
  const read = new Set<string>();
  const headers = new Proxy(
    {
      'x-purpose': 'after_sales',
      'sluice-tier': '2',
      'sluice-justification': 'ticket 1',
      'sluice-grant': 'g-1',
    },
    {
      get: (target, name) => {
        read.add(String(name));
        return Reflect.get(target, name);
      },
    },
  );
  resolvePurpose(config, {
    headers,
    subject: { type: 'user', id: 'u', properties: { organization: 'internal' } } as never,
    claims: {},
    purpose: null,
    route: { purpose: null },
    known: { purposes: new Set(['after_sales']), recipients: new Set() },
  });
  expect([...read].sort()).toEqual([...statingHeaders(config)].sort());
});
