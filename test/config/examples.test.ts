import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import { parseConsents } from '../../src/consent/index.ts';
import { createRouter } from '../../src/routing/index.ts';

const ROOT = join(import.meta.dirname, '../../examples');
const examples = readdirSync(ROOT).filter((name) => existsSync(join(ROOT, name, 'sluice.yaml')));

/** of variables whose value has a form */
const VALUES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://sluice@127.0.0.1/sluice',
  REDIS_URL: 'redis://127.0.0.1:6379',
};

describe.each(examples)('examples/%s', (name) => {
  const read = (file: string): string => readFileSync(join(ROOT, name, file), 'utf8');
  test('has a configuration that loads, and routes that compile', () => {
    const text = read('sluice.yaml');
    const env = Object.fromEntries(
      [...text.matchAll(/env:([A-Z_]+)/g)].map(([, variable]) => [variable, VALUES[variable!] ?? 'value']),
    );
    const { config } = parseConfig(text, join(ROOT, name, 'sluice.yaml'), env);
    expect(createRouter(config.routes, config.limits, charset).routes).toHaveLength(config.routes.length);
  });
});

test.each(examples.filter((name) => existsSync(join(ROOT, name, 'consents.yaml'))))(
  'the consents of examples/%s load',
  (name) => {
    const text = readFileSync(join(ROOT, name, 'consents.yaml'), 'utf8');
    expect(parseConsents(text, 'consents.yaml').version).toBe(1);
  },
);
