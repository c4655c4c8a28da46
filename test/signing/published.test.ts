/** The public keys, from a command and from a running sidecar. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sluice as run } from '../cli/support.ts';
import { startSluice } from '../support/sluice.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-published-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('the admin listener publishes the keys that the command prints, public parts alone', async () => {
  const running = await startSluice({ dir });
  try {
    const response = await fetch(`http://127.0.0.1:${running.adminPort}/.well-known/jwks.json`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/jwk-set+json; charset=utf-8',
    ]);
    expect(response.headers.get('cache-control')).toBe('public, max-age=300');
    const printed = await run(['signing', 'keys', '--config', join(dir, 'sluice.yaml')]);
    expect(printed).toMatchObject({ code: 0, err: '' });
    expect(await response.json()).toEqual(printed.json());
    const { d } = JSON.parse(readFileSync(join(dir, 'data/signing.jwk'), 'utf8')) as { d: string };
    expect(printed.out).not.toContain(d);
    expect(running.log()).toContain('signing.key is not set');
    expect(running.log()).not.toContain(d);
  } finally {
    await running.close();
  }
});

test('a sidecar whose generated key cannot be read says so, and goes on', async () => {
  const running = await startSluice();
  try {
    writeFileSync(join(running.dir, 'data'), 'a file where a directory is wanted');
    const { status, text } = await running.admin('/.well-known/jwks.json');
    expect([status, JSON.parse(text)]).toEqual([
      503,
      expect.objectContaining({ code: 'signing_key_unavailable' }),
    ]);
    expect((await running.admin('/healthz')).status).toBe(200);
  } finally {
    await running.close();
  }
});
