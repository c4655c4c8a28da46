/**
 * A toy format: lines `name = value`, which are one record. It shows what a format consists of, and is added in `ini.test.ts` as any
 * format is: this file, and one line in the table of formats.
 */
import { SluiceError } from '../../../src/errors.ts';
import type { Format, Output } from '../../../src/disclosure/formats/format.ts';
import { onlyOptions } from '../../../src/disclosure/formats/shared/options.ts';
import {
  type Members,
  member,
  replacement,
  SingleRecordReader,
} from '../../../src/disclosure/formats/shared/single-record.ts';

export const ini: Format = {
  name: 'ini',
  layout: 'single',
  media: { types: ['text/x-ini'], charsetParameter: 'never' },
  open(setup) {
    onlyOptions('ini', setup.options, []);
    return new SingleRecordReader(setup, parse);
  },
};

function parse(body: Uint8Array): Members {
  const lines = Buffer.from(body)
    .toString('utf8')
    .split(/(?<=\n)/)
    .map(lineOf); // prettier-ignore
  return {
    nodes: lines.map(({ node }) => node),
    render(out: Output, decisions) {
      for (const { node, name, text } of lines) {
        const decision = decisions.get(node) ?? 'drop';
        if (decision === 'drop') continue;
        out.text(decision === 'keep' ? text : `${name} = ${replacement(decision) ?? ''}\n`);
      }
    },
  };
}

function lineOf(text: string) {
  const [, name, value] = /^(\w+) *= *([^\r\n]*)\r?\n?$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new SluiceError('response_malformed', 'A line of the INI file is not "name = value".');
  return { text, name, node: member([name], value) };
}
