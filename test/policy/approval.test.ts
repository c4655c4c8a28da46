/**
 * `policy.require_approval`: a policy goes live by the signed word of a reviewer about this very content, and by nothing else. Each
 * hostile variant leaves the last good policy live, says so by one stable code, and is on record.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import {
  contentDigest,
  signApproval,
  signingReviewer,
  type Statement,
} from '../../src/policy/bundle/approval.ts';
import { readArchive, writeArchive } from '../../src/policy/bundle/archive.ts';
import { readBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { PolicyConfig } from '../../src/policy/settings.ts';
import { approvingOf, createPolicyStore, type LivePolicyStore } from '../../src/policy/store.ts';
import { opa, ROOT, sluice } from '../cli/support.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const root = mkdtempSync(join(tmpdir(), 'sluice-approval-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const OWN = join(ROOT, 'test/policy/fixtures/policy');

const pem = (key: KeyObject, type: 'pkcs8' | 'spki'): string =>
  key.export({ type, format: 'pem' }).toString();
const pair = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { secret: pem(privateKey, 'pkcs8'), open: pem(publicKey, 'spki') };
};
const officer = pair();
const former = pair();
const stranger = pair();

interface World {
  readonly dir: string;
  readonly file: string;
  readonly config: PolicyConfig;
  readonly recorded: string[];
  /** of those that went live by an approval, as they named themselves */
  readonly revisions: string[];
  /** @param refusing what recording a refusal waits for */
  open(refusing?: () => Promise<void>): Promise<LivePolicyStore>;
  approve(...tokens: readonly string[]): void;
  /** the policy says something else from now on */
  change(): void;
}
const stores: LivePolicyStore[] = [];
afterEach(async () => {
  for (const s of stores.splice(0)) await s.close();
});

function world(over: Partial<PolicyConfig> = {}): World {
  const dir = join(mkdtempSync(join(root, 'w-')), 'policies');
  cpSync(OWN, dir, { recursive: true });
  const file = join(dir, '../approvals.json');
  const recorded: string[] = [];
  const revisions: string[] = [];
  const config: PolicyConfig = {
    dir,
    watch: false,
    require_approval: {
      file,
      keys: {
        officer: { algorithm: 'ES256', key: officer.open },
        former: { algorithm: 'ES256', key: former.open, until: '2026-01-31' },
      },
    },
    ...over,
  };
  return {
    dir,
    file,
    config,
    recorded,
    revisions,
    async open(refusing = async () => undefined) {
      const store = await createPolicyStore(config, {
        logger: silentLogger,
        clock: systemClock,
        baseDir: root,
        approvals: {
          approved: async ({ revision }, a) => {
            revisions.push(revision);
            recorded.push(`approved ${a.digest} by ${a.reviewer} with ${a.key}`);
          },
          refused: async ({ revision }, why) => {
            recorded.push(`refused ${revision} ${why}`);
            await refusing();
          },
        },
      });
      stores.push(store);
      return store;
    },
    approve: (...approvals) => writeFileSync(file, JSON.stringify({ approvals })),
    change() {
      const path = join(dir, 'catalog/customer.yaml');
      writeFileSync(path, `${readFileSync(path, 'utf8')}# a change of a comment is a change\n`);
    },
  };
}

const digestOf = async (dir: string): Promise<string> =>
  contentDigest(await compilePolicy(dir, { opa: opa! }));
const statement = (digest: string, over: Partial<Statement> = {}): Statement => ({
  digest,
  revision: 'r',
  reviewer: 'Li Lei',
  author: 'Han Meimei',
  approved_at: '2026-11-30T08:00:00Z',
  ...over,
});
const sign = (digest: string, over: Partial<Statement> = {}, key = officer.secret, kid = 'officer') =>
  signApproval(statement(digest, over), { kid, algorithm: 'ES256', key });

describe.skipIf(opa === null)('policy.require_approval', () => {
  let digest = '';
  beforeAll(async () => {
    digest = await digestOf(OWN);
  });

  test('an approved directory goes live, and a change of it waits for its own approval: the last good one stays', async () => {
    const w = world();
    w.approve(await sign(digest));
    const store = await w.open();
    const { revision } = store.status();
    expect(w.recorded).toEqual([`approved ${digest} by Li Lei with officer`]);
    // the policy's own name, by which its decisions are on record; not the one that the approval repeats
    expect(w.revisions).toEqual([revision]);
    w.change();
    await store.reload();
    expect(store.status()).toMatchObject({ ok: true, revision, error: { code: 'policy_unapproved' } });
    expect(store.status().error?.message).toMatch(
      /not approved: key "officer" approved another content \(sha256:/,
    );
    expect(w.recorded[1]).toMatch(/^refused .*is not approved/);
    w.approve(await sign(digest), await sign(await digestOf(w.dir)));
    await store.reload(true);
    expect(store.status().error).toBeNull();
    expect(store.status().revision).not.toBe(revision);
  });

  test('a watched policy that waits goes live when its approval comes', async () => {
    const w = world({ watch: true });
    w.approve(await sign(digest));
    const store = await w.open();
    w.change();
    await store.reload();
    expect(store.status().error?.code).toBe('policy_unapproved');
    w.approve(await sign(await digestOf(w.dir)));
    await vi.waitFor(() => expect(store.status().error).toBeNull(), { timeout: 60_000 });
  });

  test('an approval that comes while its refusal is being recorded is not overlooked', async () => {
    const w = world({ watch: true });
    w.approve(await sign(digest));
    let release = (): void => undefined;
    const recording = new Promise<void>((resolve) => {
      release = resolve;
    });
    let refusals = 0;
    const store = await w.open(() => {
      refusals++;
      return recording;
    });
    const other = await w.open();
    w.change();
    const refused = store.reload();
    await other.reload();
    await vi.waitFor(() => expect(refusals).toBe(1), { timeout: 60_000 });
    w.approve(await sign(await digestOf(w.dir)));
    // The watch of the other has seen the file come to rest, so that nothing else will tell of it.
    await vi.waitFor(() => expect(other.status().error).toBeNull(), { timeout: 60_000 });
    release();
    await refused;
    await vi.waitFor(() => expect(store.status().error).toBeNull(), { timeout: 60_000 });
    // of each of them: at the start, and when the approval came
    expect(w.revisions).toHaveLength(4);
  });

  const tampered = (token: string, change: (s: Statement) => object): string => {
    const [head, body, signature] = token.split('.');
    const said = JSON.parse(Buffer.from(body!, 'base64url').toString()) as Statement;
    return [head, Buffer.from(JSON.stringify(change(said))).toString('base64url'), signature].join('.');
  };
  test.each<[string, () => Promise<readonly string[]>, RegExp]>([
    ['no approval', async () => [], /there is no approval/],
    [
      'one for another digest',
      async () => [await sign(`sha256:${'0'.repeat(64)}`)],
      /approved another content/,
    ],
    [
      'one of a key that is not listed',
      async () => [await sign(digest, {}, stranger.secret, 'stranger')],
      /does not list/,
    ],
    [
      'one of another key under a listed name',
      async () => [await sign(digest, {}, stranger.secret)],
      /"officer" did not sign it/,
    ],
    [
      'one of a key whose time is over, dated back',
      async () => [await sign(digest, { approved_at: '2026-01-01T00:00:00Z' }, former.secret, 'former')],
      /time of key "former" was over on 2026-01-31/,
    ],
    [
      'one that has expired',
      async () => [await sign(digest, { until: '2026-01-31' })],
      /was good until 2026-01-31/,
    ],
    [
      'one that was edited to name this digest',
      async () => [tampered(await sign(`sha256:${'0'.repeat(64)}`), (s) => ({ ...s, digest }))],
      /was changed/,
    ],
    [
      'one whose reviewer was edited',
      async () => [tampered(await sign(digest), (s) => ({ ...s, reviewer: 'X' }))],
      /was changed/,
    ],
    [
      'one without a signature',
      async () => [
        `${Buffer.from('{"alg":"none","kid":"officer","typ":"sluice-approval+jws"}').toString('base64url')}.${Buffer.from(JSON.stringify(statement(digest))).toString('base64url')}.`,
      ],
      /was changed/,
    ],
    ['the author’s own', async () => [await signOwn(digest)], /Li Lei approved their own change/],
    ['a token of another purpose', async () => [await signAs('JWT', statement(digest))], /is no approval/],
    [
      'a statement that names no digest',
      async () => [await signAs('sluice-approval+jws', { reviewer: 'x' })],
      /does not say what it approves/,
    ],
    ['what is no token', async () => ['x', ''], /is not a JWS/],
  ])('refuses %s', async (_what, tokens, why) => {
    const w = world();
    w.approve(...(await tokens()));
    await expect(w.open()).rejects.toMatchObject({
      code: 'policy_unapproved',
      message: expect.stringMatching(why),
    });
    expect(w.recorded).toEqual([expect.stringMatching(/^refused /)]);
  });

  async function signAs(typ: string, payload: object): Promise<string> {
    const { CompactSign, importPKCS8 } = await import('jose');
    return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'ES256', kid: 'officer', typ })
      .sign(await importPKCS8(officer.secret, 'ES256'));
  }
  const signOwn = (of: string): Promise<string> =>
    signAs('sluice-approval+jws', statement(of, { author: 'li lei ' }));

  test('a file that is not a list of approvals, or cannot be read, approves nothing', async () => {
    const w = world();
    for (const text of ['', '[]', '{"approvals":[1]}', '{"approvals":"x"}']) {
      writeFileSync(w.file, text);
      await expect(w.open()).rejects.toMatchObject({ code: 'policy_unapproved' });
    }
  });

  test('the approval in a bundle is not valid for changed contents of the bundle', async () => {
    const bundle = await compilePolicy(OWN, { opa: opa! });
    expect(contentDigest(bundle)).toBe(digest);
    const token = await sign(digest);
    const packed = await writeBundle({ ...bundle, approvals: [token] });
    const read = await readBundle(packed, { name: 'b' });
    expect([contentDigest(read), read.approvals]).toEqual([digest, [token]]);
    const at = join(mkdtempSync(join(root, 'b-')), 'bundle.tar.gz');
    const config: Partial<PolicyConfig> = { dir: undefined, bundle: at };
    writeFileSync(at, packed);
    const w = world(config);
    const store = await w.open();
    expect(w.recorded).toHaveLength(1);

    // The same approval, within the data or the sources that it would have to name.
    const files = await readArchive(packed, 'b');
    const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
    const json = (path: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(files.get(path)!).toString());
    const ours = (manifest: Record<string, unknown>): Record<string, unknown> => {
      const metadata = manifest['metadata'] as { sluice: Record<string, unknown> };
      delete metadata.sluice['content_digest'];
      return manifest;
    };
    const manifest = text(ours(json('.manifest')));
    for (const [path, content] of [
      ['data.json', { ...json('data.json'), approvals: [token] }],
      [
        '.sluice/sources.json',
        { ...json('.sluice/sources.json'), 'data/approvals.json': JSON.stringify({ approvals: [token] }) },
      ],
      // Rules that are executed are the module: other sources beside it are another content.
      ['.sluice/sources.json', {}],
    ] as const) {
      writeFileSync(
        at,
        await writeArchive(new Map([...files, [path, text(content)], ['.manifest', manifest]])),
      );
      await store.reload();
      expect([path, store.status().error?.code]).toEqual([path, 'policy_unapproved']);
    }
    // Another module under the approved sources, and claims of what it reads: both decide.
    for (const [path, content] of [
      ['policy.wasm', new Uint8Array([...files.get('policy.wasm')!, 0, 1, 0])],
      [
        '.manifest',
        text({
          ...ours(json('.manifest')),
          metadata: {
            sluice: {
              ...(json('.manifest')['metadata'] as { sluice: object }).sluice,
              entrypoints: {},
              content_digest: undefined,
            },
          },
        }),
      ],
    ] as const) {
      writeFileSync(at, await writeArchive(new Map([...files, ['.manifest', manifest], [path, content]])));
      await store.reload();
      expect([path, store.status().error?.code]).toEqual([
        path,
        expect.stringMatching(/^policy_unapproved$|^bundle_/),
      ]);
      expect(store.status().ok).toBe(true);
    }
  });

  test('tests, scenarios and the name of the revision can change without a new approval', async () => {
    const w = world();
    writeFileSync(join(w.dir, 'sluice/more_test.rego'), 'package sluice_test\n\ntest_more if true\n');
    expect(await digestOf(w.dir)).toBe(digest);
    expect(contentDigest(await compilePolicy(w.dir, { opa: opa!, revision: 'v2' }))).toBe(digest);
    // A rule in the folder of scenarios is a rule: what of it is shown is approved, too.
    mkdirSync(join(w.dir, 'scenarios'), { recursive: true });
    writeFileSync(join(w.dir, 'scenarios/more.yaml'), '# none yet\n');
    expect(await digestOf(w.dir)).toBe(digest);
    writeFileSync(join(w.dir, 'scenarios/more.rego'), 'package more\n');
    expect(await digestOf(w.dir)).not.toBe(digest);
    rmSync(join(w.dir, 'scenarios/more.rego'));
    w.change();
    expect(await digestOf(w.dir)).not.toBe(digest);
  });

  test('sluice approve signs what was reviewed, and nothing else', async () => {
    const w = world();
    const cwd = join(w.dir, '..');
    writeFileSync(join(cwd, 'li.pem'), officer.secret);
    expect((await sluice(['approve', 'policies'], { cwd })).out).toMatch(`${digest}  policies (revision `);
    const args = ['--reviewer', 'Li Lei', '--key', 'li.pem', '--key-id', 'officer'];
    const other = await sluice(['approve', 'policies', ...args, '--digest', `sha256:${'0'.repeat(64)}`], {
      cwd,
    });
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('is not what was reviewed')]);
    const unsaid = await sluice(['approve', 'policies', ...args], { cwd });
    expect([unsaid.code, unsaid.err]).toEqual([
      2,
      expect.stringContaining('Say what was reviewed: --digest'),
    ]);
    const read = [...args, '--digest', digest];
    const own = await sluice(['approve', 'policies', ...read, '--author', 'li lei'], { cwd });
    expect([own.code, own.err]).toEqual([3, expect.stringContaining('does not approve it')]);
    await expect(w.open()).rejects.toMatchObject({ code: 'policy_unapproved' });
    const done = await sluice(['approve', 'policies', ...read, '--author', 'Han Meimei'], { cwd });
    expect([done.code, done.err]).toEqual([0, '']);
    await w.open();
    const full = JSON.stringify({ approvals: Array(1000).fill('x') });
    writeFileSync(join(cwd, 'full.json'), full);
    const more = await sluice(['approve', 'policies', ...read, '-o', 'full.json'], { cwd });
    expect([more.code, more.err]).toEqual([3, expect.stringContaining('nothing was added')]);
    expect(readFileSync(join(cwd, 'full.json'), 'utf8')).toBe(full);
    const built = await sluice(
      ['build', 'policies', '-o', 'b.tar.gz', '--approvals', 'approvals.json', '--json'],
      { cwd },
    );
    expect(built.json<{ content_digest: string }>().content_digest).toBe(digest);
  });
});

test('the configuration refuses approval keys that cannot approve, or that also sign bundles', () => {
  const faults = (policy: string): string => {
    try {
      parseConfig(
        `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }] }
policy: ${policy}
consent: { file: ./c.yaml }
routes: [{ match: "GET /a", upstream: crm, resource: customer, action: search }]
`,
        'sluice.yaml',
        {},
      );
      return '';
    } catch (e) {
      return (e as Error).message;
    }
  };
  const key = '{ algorithm: ES256, file: ./k.pem }';
  expect(faults(`{ dir: p, require_approval: { file: a.json, keys: { k: ${key} } } }`)).toBe('');
  expect(faults('{ dir: p, require_approval: { file: a.json, keys: {} } }')).toMatch(
    /nothing could ever be approved/,
  );
  expect(faults(`{ dir: p, require_approval: { keys: { k: ${key} } } }`)).toMatch(
    /a directory carries no approvals/,
  );
  expect(faults('{ dir: p, require_approval: { file: a.json, keys: { k: { algorithm: ES256 } } } }')).toMatch(
    /needs the key/,
  );
  expect(
    faults('{ dir: p, require_approval: { file: a.json, keys: { k: { algorithm: HS256, file: k } } } }'),
  ).toMatch(/algorithm/);
});

describe('a key that signs bundles cannot approve them', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsa = pem(publicKey, 'spki');
  const file = (name: string, text: string): string => {
    writeFileSync(join(root, name), text);
    return name;
  };
  const wrapped = officer.open.replaceAll('\n', '\r\n');

  test.each<[string, object, object]>([
    ['the same text', { algorithm: 'ES256', key: officer.open }, { algorithm: 'ES256', key: officer.open }],
    [
      'in another file',
      { algorithm: 'ES256', file: file('signs.pub', officer.open) },
      { algorithm: 'ES256', file: file('reviews.pub', officer.open) },
    ],
    [
      'in a file, and written in the configuration with other line breaks and a remark',
      { algorithm: 'ES256', file: 'signs.pub' },
      { algorithm: 'ES256', key: `the key of Li Lei\n${wrapped}\n\n` },
    ],
    [
      'with another algorithm of the same kind of key',
      { algorithm: 'RS256', key: rsa },
      { algorithm: 'PS512', key: rsa },
    ],
  ])('a key that signs is found: %s', async (_what, signs, reviews) => {
    const w = world({
      signing: { keys: { builder: signs as never } },
      require_approval: {
        file: join(root, 'none.json'),
        keys: { other: { algorithm: 'ES256', key: stranger.open }, li: reviews as never },
      },
    });
    const approving = approvingOf(w.config, root)!;
    expect(await signingReviewer(approving)).toMatchObject({
      kid: 'li',
      why: expect.stringMatching(/^also signs bundles \(policy\.signing\.keys\.builder\)/),
    });
    if (opa === null) return;
    await expect(w.open()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/^policy\.require_approval\.keys\.li: also signs bundles/),
    });
  });

  test('shared secrets and unrelated keys among the signing keys are accepted', async () => {
    const keys = { li: { algorithm: 'ES256', key: officer.open } } as const;
    const signing = {
      a: { algorithm: 'HS256', key: 'secret' },
      b: { algorithm: 'ES256', key: stranger.open },
    } as const;
    expect(await signingReviewer({ keys, signing })).toBeNull();
    expect(await signingReviewer({ keys, signing: {} })).toBeNull();
  });

  test.skipIf(opa === null)('sluice check tells of it at the line of the reviewer', async () => {
    const w = world();
    const cwd = join(w.dir, '..');
    writeFileSync(join(cwd, 'a.pub'), rsa);
    writeFileSync(join(cwd, 'b.pub'), rsa);
    writeFileSync(join(cwd, 'build.pem'), pem(privateKey, 'pkcs8'));
    writeFileSync(join(cwd, 'c.yaml'), '---\nversion: 1\ndata_subjects: {}\n...\n');
    writeFileSync(
      join(cwd, 'sluice.yaml'),
      `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }] }
policy:
  bundle: ./p.tar.gz
  signing: { keys: { builder: { algorithm: RS256, file: ./a.pub } } }
  require_approval:
    keys:
      li: { algorithm: RS256, file: ./b.pub }
consent: { file: ./c.yaml }
routes: [{ match: "GET /a", upstream: crm, resource: customer, action: search, records: /items/* }]
`,
    );
    const sign = ['--signing-key', 'build.pem', '--signing-alg', 'RS256', '--signing-key-id', 'builder'];
    expect((await sluice(['build', 'policies', '-o', 'p.tar.gz', ...sign], { cwd })).code).toBe(0);
    const checked = await sluice(['check', '--config', 'sluice.yaml', '--json'], { cwd });
    const { findings } = checked.json<{ findings: { message: string; line: number; severity: string }[] }>();
    expect(findings.filter((f) => /also signs/.test(f.message)).map((f) => [f.severity, f.line])).toEqual([
      ['fault', 9],
    ]);
  });
});
