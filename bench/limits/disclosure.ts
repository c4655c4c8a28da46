/** Bodies with very many parts, or a very long one: each is read through once, or refused at the first part too many. */
import { disclose as discloseBody, type Case } from '../../test/disclosure/formats/support.ts';
import { answer, catalogOf, disclosed } from '../../test/disclosure/support.ts';
import type { Limit } from './run.ts';

const XML: Case = { format: 'xml', fields: { '/*': 'x/1' }, dataSubject: 'C1', records: '/l/r' };
const FORM: Case = { format: 'form', fields: { '/id': 'reference/1' }, dataSubject: 'C1' };

const tried = (body: string | Buffer, how: Case) => () => discloseBody(body, how).catch(() => undefined);
const attributes = (n: number): string => Array.from({ length: n }, (_, i) => `a${i}=""`).join(' ');
const blanks = ' \t\r\n'.repeat(100_000);
const half = Buffer.alloc(240_000, Buffer.from([0x81, 0x5d, 0x5d, 0x3e]));
const MANY = 300_000;

const staff = catalogOf(
  { '/id': 'reference/1', '/n': 'contact/3' },
  { resource: 'staff', subjects: ['/id'] },
);
const aboutMany = {
  catalog: catalogOf({ '/staff/*': '@staff', '/ids/*': 'reference/1' }, { subjects: ['/ids/*'] }),
  catalogs: [staff],
  answer: answer({ 'reference/1': 'disclose', 'contact/3': 'mask' }),
};
const many = (n: number): string =>
  `{"ids":[${Array.from({ length: n }, (_, k) => k).join()}],"staff":[${Array.from({ length: n }, (_, k) => `{"id":${k},"n":"x"}`).join()}]}`;

export const disclosure: readonly Limit[] = [
  {
    name: 'a record about thirty thousand people',
    measured: [
      (
        (body) => () =>
          disclosed(body, aboutMany)
      )(many(30_000)),
    ],
  },
  {
    name: 'XML with more parts than a record may have',
    measured: [
      `<l><r>${'<p>x</p>\n '.repeat(MANY)}</r></l>`,
      `<l><r>${'<p/>'.repeat(MANY)}</r></l>`,
      `<l><r ${attributes(MANY)}/></l>`,
      `<l ${attributes(MANY)}><r/></l>`,
      `<l><r>${'<!---->'.repeat(MANY)}</r></l>`,
      `<l><r>${'<![CDATA[]]>'.repeat(MANY)}</r></l>`,
    ].map((body) => tried(body, XML)),
  },
  {
    name: 'XML that is nearly all blanks',
    measured: [
      tried(`<l><r a="x${blanks}x"><p>x${blanks}x</p></r></l>`, {
        ...XML,
        attributes: { a: '/@a', p: '/p' },
      }),
    ],
  },
  {
    name: 'XML that is refused at the first part',
    measured: [
      tried(`<r><n${'&#65;'.repeat(150_000)}/></r>`, XML),
      tried(`<r><n a="${'<?a?>'.repeat(150_000)}"/></r>`, XML),
      tried(`<r>${'<n>'.repeat(150_000)}`, XML),
    ],
  },
  {
    name: 'XML full of bytes that end a section and are halves of characters',
    measured: [
      tried(Buffer.concat([Buffer.from('<l><r><![CDATA['), half, Buffer.from(']]></r></l>')]), {
        ...XML,
        charset: 'gbk',
      }),
    ],
  },
  {
    name: 'a form with more pairs than a record may have',
    measured: [tried(Array.from({ length: 900_000 }, () => 'a=1').join('&'), FORM)],
  },
];
