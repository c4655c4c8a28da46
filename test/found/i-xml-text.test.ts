/**
 * Class: text of XML that a path cannot name, or that is cut into several values. Root cause: a catalog refused the step `#text`, which only text
 * among elements went by, and a comment or a CDATA section made two values of one.
 */
import { describe, expect, test } from 'vitest';
import { catalogFault } from '../../src/model/pointer-faults.ts';
import { disclose } from '../disclosure/formats/support.ts';

const c = (fields: Record<string, string>, answer: object, more: object = {}) => ({
  format: 'xml' as const,
  records: '/r',
  fields: Object.fromEntries(
    Object.entries(fields).map(([p, cls]) => [
      p,
      { category: cls.split('/')[0]!, grade: Number(cls.split('/')[1]), mask: 'phone' },
    ]),
  ),
  answer: answer as never,
  ...more,
});

describe('#text', () => {
  test('is a step that a catalog can have', () => {
    expect(catalogFault('/note/#text')).toBeNull();
  });

  const fields = { '/note/#text': 'x/3', '/note/b': 'x/2', '/note/@k': 'x/2' };
  test.each([
    [
      'among elements',
      '<r><note>to <b>Li</b> at 13812345678!</note></r>',
      '<r><note>to <b>Li</b> at 138****5678!</note></r>',
    ],
    ['alone', '<r><note>at 13812345678</note></r>', '<r><note>at 138****5678</note></r>'],
    [
      'beside attributes',
      '<r><note k="1" z="2">13812345678</note></r>',
      '<r><note k="1">138****5678</note></r>',
    ],
    ['of nothing', '<r><note/></r>', '<r><note/></r>'],
  ])('covers the text of an element %s', async (_, body, wanted) => {
    const { text } = await disclose(body, c(fields, { 'x/2': 'disclose', 'x/3': 'scrub' }));
    expect(text).toBe(wanted);
  });

  test('leaves without it, and the other way round', async () => {
    const body = '<r><note>secret <b>Li</b> more</note><note>secret</note></r>';
    expect((await disclose(body, c(fields, { 'x/2': 'disclose', 'x/3': 'drop' }))).text).toBe(
      '<r><note><b>Li</b></note></r>',
    );
    expect((await disclose(body, c(fields, { 'x/2': 'drop', 'x/3': 'disclose' }))).text).toBe(
      '<r><note>secret  more</note><note>secret</note></r>',
    );
  });

  test.each([
    ['x/5', '/*'],
    ['x/5', '/a/*', '/*/b'],
    ['x/5', '/*/*'],
    ['x/2', '/a/#text'],
  ])(
    'decides where it is named: a star below an element does not stand for its text (%s %s %s)',
    async (cls, ...stars) => {
      const own = Object.fromEntries(stars.map((star) => [star, 'x/2']));
      const { text } = await disclose(
        '<r><a>13812345678</a></r>',
        c({ ...own, '/a': cls }, { 'x/2': 'disclose', 'x/5': 'drop' }),
      );
      expect(text).toBe(cls === 'x/5' ? '<r></r>' : '<r><a>13812345678</a></r>');
    },
  );

  // the same for text alone, above
  test.each([
    ['/a/*', '<r><a k="1"><b>x</b></a></r>'],
    ['/*/*', '<r><a k="1"><b>x</b></a></r>'],
    ['/*', '<r></r>'],
    ['/a', '<r></r>'],
    ['/a/b', '<r><a><b>x</b></a></r>'],
    ['/a/#text', '<r><a>one  two</a></r>'],
    ['/*/#text', '<r><a>one  two</a></r>'],
    ['/a/#text /a/*', '<r><a k="1">one <b>x</b> two</a></r>'],
  ])('leaves among elements by a line of its own, whatever a star stands for: %s', async (lines, wanted) => {
    const fields = Object.fromEntries(lines.split(' ').map((line) => [line, 'x/2']));
    const body = '<r><a k="1">one <b>x</b> two</a></r>';
    const { text } = await disclose(body, c(fields, { 'x/2': 'disclose' }));
    expect(text).toBe(wanted);
  });

  test('does not reach what stands in the elements', async () => {
    const { text } = await disclose(
      '<r><note>a<i>CANARY</i></note></r>',
      c({ '/note/#text': 'x/2' }, { 'x/2': 'disclose' }),
    );
    expect(text).toBe('<r><note>a</note></r>');
  });

  test('may say whose data it is', async () => {
    const { text } = await disclose(
      '<r><id>C1</id><x>1</x></r>',
      c({ '/x': 'x/1' }, { '*': 'disclose' }, { subject: '/id/#text', withhold: ['C1'] }),
    );
    expect(text).not.toContain('<x>');
  });
});

describe('a value that is cut by what nobody sees', () => {
  test.each([
    ['a comment', '1381234<!-- x -->5678'],
    ['a processing instruction', '1381234<?x y?>5678'],
    ['a CDATA section', '1381234<![CDATA[5678]]>'],
    ['several', '138<!-- a --><![CDATA[1234]]><!-- b -->5678<!-- c -->'],
  ])('is one value: %s', async (_, number) => {
    const fields = { '/note': 'x/3', '/note/b': 'x/2' };
    const { text } = await disclose(
      `<r><note><b>Li</b> ${number}</note></r>`,
      c({ ...fields, '/note/#text': 'x/3' }, { 'x/2': 'disclose', 'x/3': 'scrub' }),
    );
    expect(text).toBe('<r><note><b>Li</b> 138****5678</note></r>');
  });

  test('loses the comments in it where it is disclosed', async () => {
    const body = '<r><note><b>Li</b> one<!-- CANARY --> two<!-- CANARY --></note></r>';
    const { text } = await disclose(
      body,
      c({ '/note/b': 'x/2', '/note/#text': 'x/2' }, { 'x/2': 'disclose' }),
    );
    expect(text).toBe('<r><note><b>Li</b> one two</note></r>');
  });
});
