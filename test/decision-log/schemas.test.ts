import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { decisionLogSchemas } from '../../src/decision-log/schemas.ts';
import { split } from '../../src/decision-log/journal/split.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';

const ajv = new Ajv2020({ strict: true, allErrors: true });
(addFormats as unknown as (a: Ajv2020) => void)(ajv);
const validate = ajv.compile(JSON.parse(JSON.stringify(decisionLogSchemas()['decision-record.schema.json'])));

test('every written record conforms to the published schema', async () => {
  const dir = temporaryDirectory();
  const journal = await openJournal(dir);
  const nothing = {
    subject: null,
    resource: null,
    disclosure: null,
    request: null,
    upstream: null,
    response: null,
  };
  const long = draft(3, {
    labels: Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`label-${i}`, 'x'.repeat(20)])),
  });
  const drafts = [
    draft(1),
    draft(2, {
      ...nothing,
      policy: null,
      input: null,
      action: null,
      purpose: null,
      tier: null,
      recipient: null,
    }),
    ...split({ ...long, input: { ...long.input, more: 'x'.repeat(30_000) } }, 8192),
  ];
  for (const d of drafts)
    expect(validate(await journal.append(d)), ajv.errorsText(validate.errors)).toBe(true);
  await journal.close();
});

test('the schema rejects a record with an unknown member', async () => {
  expect(
    validate({ ...draft(1), origin: 'a', seq: 1, prev_hash: '0'.repeat(64), hash: '0'.repeat(64), extra: 1 }),
  ).toBe(false);
});
