import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openRevocations } from '../../src/identity/revocations.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-revoked-'));
const path = join(dir, 'revoked.yaml');
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ['an entry with an unknown key', '- jti: a\n- { jti: Zhang, Zhang: 1 }\n', '2:3: entry 2 needs one of'],
  ['a file that is no list', 'jti: Zhang\n', '1:1: must be a list'],
  ['broken syntax', '- jti: Zhang\n- [Zhang\n', '3:1: is not YAML (bad_indent)'],
  ['a repeated key', '- { jti: Zhang, jti: Zhang }\n', '1:17: this key is there already'],
])('a list of revocations with %s is refused at its place, without its names', (_what, text, message) => {
  writeFileSync(path, text);
  const open = (): unknown => openRevocations(path, { clock: systemClock, logger: silentLogger });
  expect(open).toThrow(`identity.revocations: ${path}:${message}`);
  expect(open).not.toThrow(/Zhang/);
});
