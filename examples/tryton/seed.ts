/** Signs in to Tryton as its administrator, puts parties in through Tryton's own API, prints the session as a header value. */
const [url = 'http://127.0.0.1:9100/tryton/', password = ''] = process.argv.slice(2);

async function call(method: string, params: unknown[], session?: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(session === undefined ? {} : { authorization: session }),
    },
    body: JSON.stringify({ id: 1, method, params }),
  });
  const answer = (await response.json()) as { result?: unknown; error?: unknown };
  if (answer.error !== undefined || !response.ok)
    throw new Error(`${method}: ${response.status} ${JSON.stringify(answer.error)}`);
  return answer.result;
}

const [user, key] = (await call('common.db.login', ['admin', { password }])) as [number, string];
const session = `Session ${Buffer.from(`admin:${user}:${key}`).toString('base64')}`;

const party = (name: string, mobile: string, email: string, identifier: string) => ({
  name,
  contact_mechanisms: [
    [
      'create',
      [
        { type: 'mobile', value: mobile },
        { type: 'email', value: email },
      ],
    ],
  ],
  identifiers: [['create', [{ type: null, code: identifier }]]],
});

const known = (await call(
  'model.party.party.search',
  [[['name', '=', '张三丰']], 0, null, null, {}],
  session,
)) as number[];
if (known.length === 0)
  await call(
    'model.party.party.create',
    [
      [
        party('张三丰', '+8613812345678', 'zhangsanfeng@wudang.example', '110101199003074514'),
        party('欧阳娜', '+8613987654321', 'ouyang@mail.example', '440106198511236662'),
        party('John Smith', '+447700900123', 'john.smith@mail.example', 'GB-551-22'),
      ],
      {},
    ],
    session,
  );
process.stdout.write(session);
