/** Bad input, each through real sockets: a stable code, an RFC 9457 body without any upstream content, a decision record. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { answers, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { prepare, type Running, SCRIPTED, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, headerOf, jsonOf, requestText, textOf, Wire } from '../support/wire.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const CANARY = 'canary-91c2';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    crm: { timeout: '300ms', connect_timeout: '500ms' },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers(`{"id":"C1","id_number":"${CANARY}"}`);
});

const ask = (headers: Record<string, string>, line = 'GET /customers/C1'): Promise<Answer> =>
  exchange(running.port, requestText(line, headers));
const caller = (over: Record<string, string> = {}): Record<string, string> => ({
  ...running.caller,
  ...over,
});

function expectRefused(answer: Answer, status: number, code: string, at: Running = running): void {
  expect(`${answer.status} ${textOf(answer)}`).toContain(`"code":"${code}"`);
  expect(answer.status).toBe(status);
  expect(headerOf(answer, 'content-type')).toBe('application/problem+json');
  expect(headerOf(answer, 'cache-control')).toBe('private, no-store');
  const problem = jsonOf(answer);
  expect(problem).toMatchObject({ type: `urn:sluice:error:${code}`, status, code });
  for (const member of ['title', 'detail']) expect(problem[member]).toEqual(expect.any(String));
  expect(problem['decision_id']).toBe(headerOf(answer, 'sluice-decision-id'));
  expect(answer.head + textOf(answer)).not.toContain(CANARY);
  const records = at.records().filter((r) => r.decision_id === problem['decision_id']);
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({
    outcome: status >= 500 ? 'error' : 'denied',
    response: { status },
    part: { number: 1, last: true },
  });
  expect(records[0]?.reasons.map((r) => r.code)).toContain(code);
  expect(at.journalText() + at.log()).not.toContain(CANARY);
}

describe('credentials', () => {
  const claims = { sub: 'u-1', roles: ['support'], org: 'internal' };
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' });
  async function forged(
    over: {
      alg?: string;
      kid?: string;
      audience?: string;
      issuer?: string;
      expires?: string;
      notBefore?: string;
    } = {},
    key?: Parameters<SignJWT['sign']>[0],
  ): Promise<string> {
    const alg = over.alg ?? 'ES256';
    const signer = key ?? (await generateKeyPair(alg)).privateKey;
    const jwt = new SignJWT(claims)
      .setProtectedHeader({ alg, kid: over.kid ?? 'development' })
      .setIssuer(over.issuer ?? running.issuer.issuer)
      .setAudience(over.audience ?? running.issuer.audience)
      .setIssuedAt()
      .setExpirationTime(over.expires ?? '1h');
    if (over.notBefore !== undefined) jwt.setNotBefore(over.notBefore);
    return jwt.sign(signer);
  }
  test('none', async () =>
    expectRefused(await ask({ 'Sluice-Purpose': 'after_sales' }), 401, 'token_missing'));
  test('a token that has expired', async () =>
    expectRefused(await ask(bearer(await running.issuer.sign(claims, -3600))), 401, 'token_expired'));
  test('a token without a signature', async () => {
    const token = await running.issuer.sign(claims);
    expectRefused(
      await ask(bearer(token.slice(0, token.lastIndexOf('.') + 1))),
      401,
      'token_signature_invalid',
    );
  });
  test('alg: none', async () => {
    const token = new UnsecuredJWT(claims)
      .setIssuer(running.issuer.issuer)
      .setAudience(running.issuer.audience)
      .setExpirationTime('1h')
      .encode();
    expectRefused(await ask(bearer(token)), 401, 'token_unsigned');
  });
  test('a token for another audience, signed with the right key', async () => {
    const issuer = await createDevelopmentIssuer(running.issuer.issuer, 'another');
    const own = await startSluice({ upstream: upstream.url });
    writeFileSync(join(own.dir, 'keys.json'), JSON.stringify(issuer.jwks));
    await own.close();
    const again = await withKeys(issuer.jwks);
    const token = await issuer.sign(claims);
    const answer = await exchange(again.port, requestText('GET /customers/C1', bearer(token)));
    expectRefused(answer, 401, 'token_audience_mismatch', again);
    await again.close();
  });
  test('a key that is not the issuer’s', async () =>
    expectRefused(await ask(bearer(await forged())), 401, 'token_signature_invalid'));
  test('a key id that the issuer does not publish', async () =>
    expectRefused(await ask(bearer(await forged({ kid: 'other' }))), 401, 'token_key_unknown'));
  test('the public key taken for a shared secret', async () => {
    const secret = Buffer.from(JSON.stringify(running.issuer.jwks.keys[0]));
    expectRefused(
      await ask(bearer(await forged({ alg: 'HS256' }, secret))),
      401,
      'token_algorithm_not_allowed',
    );
  });
  test('an issuer that nobody knows', async () =>
    expectRefused(
      await ask(bearer(await forged({ issuer: 'https://evil.example' }))),
      401,
      'token_issuer_unknown',
    ));
  test('something that is no token', async () =>
    expectRefused(await ask(bearer(CANARY)), 401, 'token_malformed'));
  test('the upstream is never asked', async () => {
    await ask(bearer(await forged()));
    expect(upstream.received).toEqual([]);
  });

  /** A Sluice that trusts these keys. */
  async function withKeys(jwks: { readonly keys: readonly object[] }): Promise<Running> {
    const { kty, crv, x, y, kid, alg } = jwks.keys[0] as Record<string, string>;
    return startSluice({
      upstream: upstream.url,
      config: {
        identity: {
          issuers: [
            {
              issuer: running.issuer.issuer,
              audience: running.issuer.audience,
              jwks: { keys: [{ kty, crv, x, y, kid, alg }] },
              algorithms: ['ES256'],
            },
          ],
        },
      },
    });
  }
});

describe('purpose', () => {
  test('none', async () =>
    expectRefused(await ask({ Authorization: caller()['Authorization']! }), 403, 'purpose_missing'));
  test('an unknown one', async () =>
    expectRefused(await ask(caller({ 'Sluice-Purpose': CANARY })), 403, 'purpose_unknown'));
  test('an unknown recipient', async () =>
    expectRefused(await ask(caller({ 'Sluice-Recipient': CANARY })), 403, 'recipient_unknown'));
  test('a tier that is none', async () =>
    expectRefused(await ask(caller({ 'Sluice-Tier': '7' })), 400, 'tier_invalid'));
});

describe('what is asked', () => {
  test.each([
    ['an unknown route', 'GET /nothing', 404, 'route_unknown'],
    ['a method that no route has', 'DELETE /customers/C1', 405, 'method_not_allowed'],
    ['an empty segment', 'GET /customers//C1', 400, 'path_not_canonical'],
    ['an empty segment at the start', 'GET //customers/C1', 400, 'path_not_canonical'],
    ['an encoded slash', 'GET /customers/C1%2fnotes', 400, 'path_not_canonical'],
    ['an encoded slash, upper case', 'GET /customers/C1%2Fnotes', 400, 'path_not_canonical'],
    ['an encoded backslash', 'GET /customers/C1%5cnotes', 400, 'path_not_canonical'],
    ['dot segments', 'GET /customers/../admin', 400, 'path_not_canonical'],
    ['encoded dot segments', 'GET /customers/%2e%2e/admin', 400, 'path_not_canonical'],
    ['a double encoding', 'GET /customers/%2532', 400, 'path_not_canonical'],
    ['a path parameter', 'GET /customers;v=1/C1', 400, 'path_not_canonical'],
    ['a control character', 'GET /customers/C1%00', 400, 'path_not_canonical'],
    [
      'a query parameter that the route does not name',
      `GET /customers?${CANARY}=1`,
      400,
      'query_parameter_unknown',
    ],
    ['a parameter twice', 'GET /customers?city=a&city=b', 400, 'request_malformed'],
    ['a method override', 'GET /customers?_method=DELETE', 400, 'method_override_refused'],
  ])('%s', async (_what, line, status, code) => {
    expectRefused(await ask(caller(), line), status, code);
    expect(upstream.received).toEqual([]);
  });
  test('a role that the policy denies', async () => {
    const token = await running.issuer.sign({ sub: 'u-2', roles: ['denied'], org: 'internal' });
    const answer = await ask(caller({ Authorization: `Bearer ${token}` }));
    expect(answer.status).toBe(403);
    expect(jsonOf(answer)).toMatchObject({ code: 'policy_denied', reasons: [{ code: 'role_denied' }] });
    expect(upstream.received).toEqual([]);
  });
});

describe('the upstream', () => {
  test('is down', async () => {
    const closed = createServer();
    await new Promise<void>((r) => closed.listen(0, '127.0.0.1', r));
    const { port } = closed.address() as { port: number };
    await new Promise((r) => closed.close(r));
    const own = await startSluice({ upstream: `http://127.0.0.1:${port}` });
    const answer = await exchange(own.port, requestText('GET /customers/C1', own.caller));
    expectRefused(answer, 502, 'upstream_unreachable', own);
    expect((await own.admin('/readyz')).status).toBe(503);
    await own.close();
  });
  test('is slow to answer', async () => {
    upstream.answer = () => undefined;
    expectRefused(await ask(caller()), 504, 'upstream_timeout');
  });
  test('goes quiet in the middle of its head', async () => {
    upstream.answer = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Ty');
    expectRefused(await ask(caller()), 504, 'upstream_timeout');
  });
  test('goes quiet in the middle of its body', async () => {
    upstream.answer = (_request, socket) =>
      void socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"id":"C1","x":"${CANARY}`,
      );
    expectRefused(await ask(caller()), 504, 'upstream_timeout');
  });
  test('closes before it answers', async () => {
    upstream.answer = (_request, socket) => void socket.destroy();
    expectRefused(await ask(caller()), 502, 'upstream_aborted');
  });
  test('resets before it answers', async () => {
    upstream.answer = (_request, socket) => void socket.resetAndDestroy();
    expectRefused(await ask(caller()), 502, 'upstream_aborted');
  });
  test('is cut off in the middle of a body with a length', async () => {
    upstream.answer = (_request, socket) =>
      void socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"id":"C1","x":"${CANARY}`,
      );
    expectRefused(await ask(caller()), 502, 'upstream_aborted');
  });
  test('is cut off in the middle of a chunked body', async () => {
    upstream.answer = (_request, socket) =>
      void socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"id":"C1","x":"${CANARY}`,
      );
    expectRefused(await ask(caller()), 502, 'upstream_aborted');
  });
  test('is cut off between two chunks, after what would be a whole value', async () => {
    upstream.answer = (_request, socket) =>
      void socket.end(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"id":"C1"}\r\n`,
      );
    expectRefused(await ask(caller()), 502, 'upstream_aborted');
  });
  test('is cut off in the middle of a long list: what was sent does not end as a whole answer does', async () => {
    const items = `{"id":"C1","name":"${'n'.repeat(200)}"},`.repeat(12_000);
    let breakOff = (): void => undefined;
    upstream.answer = (_request, socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n{"items":[${items}`,
      );
      breakOff = () => socket.destroy();
    };
    const wire = await Wire.open(running.port);
    // once a part of it has been answered
    wire.socket.once('data', () => breakOff());
    wire.write(requestText('GET /customers', running.caller));
    const answer = await wire.answer({ timeout: 20_000 });
    wire.destroy();
    expect(answer.status).toBe(200);
    expect(answer.complete).toBe(false);
    const id = headerOf(answer, 'sluice-decision-id');
    const records = running.records().filter((r) => r.decision_id === id);
    expect(records.at(-1)).toMatchObject({
      outcome: 'error',
      part: { last: true },
      reasons: [{ code: 'upstream_aborted' }],
    });
    const covered = records.reduce((n, r) => n + (r.response?.bytes ?? 0), 0);
    expect(answer.body.length).toBeLessThanOrEqual(covered);
  });
  test.each([
    [
      'HTML with status 200',
      `<html>${CANARY}</html>`,
      'text/html; charset=utf-8',
      'response_format_unsupported',
    ],
    ['a PDF', `%PDF-1.7 ${CANARY}`, 'application/pdf', 'response_format_unsupported'],
    ['no type at all', CANARY, '', 'response_format_unsupported'],
    ['two types', '{"id":"C1"}', 'application/json, text/html', 'response_format_unsupported'],
    ['HTML called JSON', `<html>${CANARY}</html>`, 'application/json', 'response_malformed'],
    ['invalid JSON', `{"id":"C1","name":${CANARY}}`, 'application/json', 'response_malformed'],
    ['JSON with something behind it', `{"id":"C1"}${CANARY}`, 'application/json', 'response_malformed'],
    ['JSON that ends too early', `{"id":"C1","name":"${CANARY}`, 'application/json', 'response_malformed'],
    ['NaN', `{"id":"C1","name":NaN,"x":"${CANARY}"}`, 'application/json', 'response_malformed'],
    ['deep nesting', `{"id":"C1","name":${'['.repeat(5000)}`, 'application/json', 'response_too_deep'],
    [
      'a record that is too long',
      `{"id":"C1","name":"${'x'.repeat(5_000_000)}"}`,
      'application/json',
      'record_too_large',
    ],
    [
      'a charset that is unknown',
      `{"id":"C1"}`,
      `application/json; charset=${CANARY}`,
      'response_charset_unknown',
    ],
  ])('answers %s', async (_what, body, type, code) => {
    upstream.answer = (_request, socket) =>
      void socket.write(
        type === ''
          ? Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
          : reply(body, { 'Content-Type': type }),
      );
    expectRefused(await ask(caller()), 502, code);
  });
  test('answers gzip that is not gzip', async () => {
    upstream.answer = answers(`{"id":"${CANARY}"}`, { 'Content-Encoding': 'gzip' });
    expectRefused(await ask(caller()), 502, 'response_encoding_malformed');
  });
  test('is asked again afterwards as if nothing had been', async () => {
    upstream.answer = answers('{"id":"C1"}');
    const answer = await ask(caller());
    expect(textOf(answer)).toBe('{"id":"C1"}');
  });
});

describe('consents that cannot be read', () => {
  test('nobody is taken to have consented', async () => {
    const own = await startSluice({
      upstream: upstream.url,
      config: { consent: { file: './consents.yaml', poll: '50ms' } },
    });
    writeFileSync(join(own.dir, 'consents.yaml'), `version: 1\ndata_subjects: [${CANARY}`);
    await expect
      .poll(async () => (await exchange(own.port, requestText('GET /customers/C1', own.caller))).status)
      .toBe(503);
    expectRefused(
      await exchange(own.port, requestText('GET /customers/C1', own.caller)),
      503,
      'consent_unavailable',
      own,
    );
    await own.close();
  });
});

describe('the policy', () => {
  const broken = `${SCRIPTED}\n\nallow if {\n  this is not rego\n`;
  const withDirectory = async (rego: string) => {
    const issuer = await createDevelopmentIssuer();
    const files = await prepare({ upstream: upstream.url }, issuer);
    mkdirSync(join(files.dir, 'policy/sluice'), { recursive: true });
    mkdirSync(join(files.dir, 'policy/data'), { recursive: true });
    writeFileSync(join(files.dir, 'policy/sluice/rules.rego'), rego);
    writeFileSync(
      join(files.dir, 'policy/data/data.yaml'),
      'purposes: { after_sales: {} }\nanswers: {}\nobligations: {}\n',
    );
    writeFileSync(
      files.file,
      files.text.replace('"policy":{"bundle":"./bundle.tar.gz"}', '"policy":{"dir":"./policy"}'),
    );
    return { ...files, issuer };
  };

  test('with a syntax error at the start keeps Sluice from starting: exit 3, with file and line', async () => {
    const { dir, file } = await withDirectory(broken);
    const ran = spawnSync(process.execPath, [MAIN, 'serve', '--config', file], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(ran.status).toBe(3);
    expect(ran.stderr).toMatch(/rules\.rego:\d+(:\d+)?: /);
    expect(ran.stderr).toContain('[policy_compile_failed]');
    expect(ran.stdout).toBe('');
    rmSync(dir, { recursive: true });
  });

  test('with a syntax error at a reload: the last good one stays, and /readyz and the metrics say so', async () => {
    const { dir, file, issuer } = await withDirectory(SCRIPTED);
    const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const line = await new Promise<string>((resolve, reject) => {
        child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
        child.once('exit', (code) => reject(new Error(`exit ${code}`)));
      });
      const { proxy, admin, policy } = JSON.parse(line) as { proxy: string; admin: string; policy: string };
      const headers = {
        authorization: `Bearer ${await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal' })}`,
        'sluice-purpose': 'after_sales',
      };
      const readyz = async () => {
        const response = await fetch(`${admin}/readyz`);
        return {
          status: response.status,
          body: (await response.json()) as { checks: { policy: Record<string, unknown> } },
        };
      };
      expect((await readyz()).body.checks.policy).toMatchObject({ ok: true });
      writeFileSync(join(dir, 'policy/sluice/rules.rego'), broken);
      await expect
        .poll(async () => (await readyz()).body.checks.policy['degraded'], { timeout: 15_000, interval: 100 })
        .toBe(true);
      // It serves: a load balancer must not take it out, let alone every replica at once.
      expect((await readyz()).status).toBe(200);
      const { checks } = (await readyz()).body;
      expect(checks.policy).toMatchObject({
        ok: true,
        detail: {
          revision: policy,
          error: { code: 'policy_compile_failed', message: expect.stringMatching(/rules\.rego:\d+/) },
        },
      });
      const metrics = await (await fetch(`${admin}/metrics`)).text();
      expect(metrics).toMatch(/^sluice_policy_ok 0$/m);
      expect(metrics).toMatch(/^sluice_policy_reload_failures_total [1-9]/m);
      // The last good policy answers: it knows no resource, so that it is a denial with its own code.
      const answer = await fetch(`${proxy}/customers/C1`, { headers });
      expect(answer.status).toBe(403);
      writeFileSync(join(dir, 'policy/sluice/rules.rego'), SCRIPTED);
      await expect
        .poll(async () => (await readyz()).body.checks.policy['degraded'], { timeout: 15_000, interval: 100 })
        .toBe(false);
    } finally {
      const gone = new Promise((r) => child.once('exit', r));
      child.kill('SIGTERM');
      await gone;
      rmSync(dir, { recursive: true });
    }
  });
});

describe('the journal', () => {
  test('in a directory that cannot be written keeps Sluice from starting: exit 3', async () => {
    const issuer = await createDevelopmentIssuer();
    const { dir, file, text } = await prepare({ upstream: upstream.url }, issuer);
    // Below a file there is no directory, not even for root.
    writeFileSync(join(dir, 'a-file'), '');
    writeFileSync(file, text.replace('"dir":"./journal"', '"dir":"./a-file/journal"'));
    const ran = spawnSync(process.execPath, [MAIN, 'serve', '--config', file], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(ran.status).toBe(3);
    expect(ran.stderr).toContain('[journal_unwritable]');
    expect(ran.stdout).toBe('');
    rmSync(dir, { recursive: true });
  });

  const mount = mkdtempSync(join(tmpdir(), 'sluice-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount]).status === 0;
  if (!mounted)
    process.stderr.write(
      'bad-input: "becoming full" skipped, mounting a small tmpfs is not permitted here\n',
    );
  afterAll(() => {
    if (mounted) spawnSync('umount', ['-l', mount]);
    rmSync(mount, { recursive: true, force: true });
  });
  test.skipIf(!mounted)(
    'becoming full: every request is refused, and taken again once there is space',
    async () => {
      const own = await startSluice({
        upstream: upstream.url,
        config: { decision_log: { journal: { dir: join(mount, 'journal'), min_free: '1MiB' } } },
      });
      const request = requestText('GET /customers/C1', own.caller);
      expect((await exchange(own.port, request)).status).toBe(200);
      upstream.received.length = 0;
      writeFileSync(join(mount, 'ballast'), Buffer.alloc(3_500_000));
      await expect.poll(async () => (await exchange(own.port, request)).status, { timeout: 5000 }).toBe(503);
      upstream.received.length = 0;
      const answer = await exchange(own.port, request);
      expect(answer.status).toBe(503);
      expect(jsonOf(answer)).toMatchObject({ code: 'journal_full', type: 'urn:sluice:error:journal_full' });
      expect(upstream.received).toEqual([]);
      expect((await own.admin('/readyz')).status).toBe(503);
      expect((await own.admin('/metrics')).text).toMatch(/^sluice_journal_ok 0$/m);
      rmSync(join(mount, 'ballast'));
      await expect.poll(async () => (await exchange(own.port, request)).status, { timeout: 5000 }).toBe(200);
      await own.close();
    },
  );
});
