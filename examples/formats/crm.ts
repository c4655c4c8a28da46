/** A CRM that answers about one customer in every format it has learnt in thirty years. Serves the example, and nothing else. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import iconv from 'iconv-lite';

export interface Answer {
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly type: string;
  /** what it is to be read as */
  readonly charset: string;
  readonly body: Buffer;
}

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';

export const ANSWERS: readonly Answer[] = [
  answer('JSON', '/customers.json', 'application/json', JSON_BODY()),
  answer('NDJSON', '/customers.ndjson', 'application/x-ndjson', NDJSON_BODY()),
  answer('XML', '/customers.xml', 'application/xml', XML_BODY()),
  { ...answer('SOAP', '/soap', 'text/xml; charset=utf-8', SOAP_BODY()), method: 'POST' },
  answer(
    'CSV in GB18030, by an upstream that forgets to say so',
    '/customers.csv',
    'text/csv',
    CSV_BODY(),
    'gb18030',
  ),
];

export const SOAP_REQUEST = `<?xml version="1.0"?><s:Envelope xmlns:s="${SOAP}"><s:Body><getCustomers/></s:Body></s:Envelope>`;

function answer(title: string, path: string, type: string, text: string, charset = 'utf-8'): Answer {
  return { title, method: 'GET', path, type, charset, body: iconv.encode(text, charset) };
}

function JSON_BODY(): string {
  return `{
  "total": 1,
  "items": [
    { "id": "C100001", "name": "王小明", "id_number": "110101199003074514", "phone": "13812345678",
      "address": { "city": "上海", "street": "南京路100号" },
      "orders": [{ "amount": 1299.00 }, { "amount": 88.50 }],
      "vip": true, "notes": "call 13812345678 after six", "internal_score": 17.30 }
  ]
}
`;
}

function NDJSON_BODY(): string {
  return `{"id":"C100001","name":"王小明","id_number":"110101199003074514","phone":"13812345678","address":{"city":"上海","street":"南京路100号"},"orders":[{"amount":1299.00},{"amount":88.50}],"vip":true,"notes":"call 13812345678 after six","internal_score":17.30}\n`;
}

function customer(prefix: string, indent: string): string {
  return [
    '<id>C100001</id>',
    '<name>王小明</name>',
    '<!-- was: 13900000000 -->',
    `<${prefix}id_number>110101199003074514</${prefix}id_number>`,
    '<phone type="mobile">138<![CDATA[1234]]>5678</phone>',
    '<address><city>上海</city><street>南京路100号</street></address>',
    '<orders><order><amount>1299.00</amount></order><order><amount>88.50</amount></order></orders>',
    '<vip>true</vip>',
    '<notes>call &#49;3812345678 after six</notes>',
    '<internal_score>17.30</internal_score>',
  ]
    .map((line) => `${indent}${line}\n`)
    .join('');
}

function XML_BODY(): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<customers total="1">
  <customer>
${customer('', '    ')}  </customer>
</customers>
`;
}

function SOAP_BODY(): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="${SOAP}">
  <soap:Header><session>s3cret-session</session></soap:Header>
  <soap:Body>
    <c:getCustomersResponse xmlns:c="urn:crm">
      <return>
${customer('c:', '        ')}      </return>
    </c:getCustomersResponse>
  </soap:Body>
</soap:Envelope>
`;
}

function CSV_BODY(): string {
  return [
    '客户编号,姓名,身份证号,手机,城市,街道,订单金额,备注,内部评分',
    'C100001,"王小明",110101199003074514, 13812345678 ,上海,"南京路100号, ""A""座",1299.00,"call 13812345678\r\nafter six",17.30',
    '',
  ].join('\r\n');
}

export async function startCrm(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    request.resume();
    const found = ANSWERS.find((a) => a.path === request.url && a.method === request.method);
    if (found)
      response.writeHead(200, { 'content-type': found.type, server: 'LegacyCRM/4.2' }).end(found.body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((done) => server.close(() => done())),
  };
}
