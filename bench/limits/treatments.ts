/** Texts that repeat one unit: what looks for something at every place must not look at the whole rest each time. */
import { createMask, MASK_KINDS } from '../../src/disclosure/treatments/masks/kinds.ts';
import { LONGEST_TEXT, scrubText } from '../../src/disclosure/treatments/scrub.ts';
import { text, treat, treatment } from '../../test/disclosure/treatments/support.ts';
import type { Limit } from './run.ts';

const megabyteOf = (unit: string): string => unit.repeat(Math.ceil(1_000_000 / unit.length));
const masks = MASK_KINDS.map((kind) => createMask(kind));
const APPLIED = ['1', '张', 'a@', '-', '👨‍👩‍👧', '\u0301', '广东', 'a, ', '*'];
const RECOGNISED = [
  ...['*', 'x', '张*', 'J* ', ' *', '* ', '\u200b', 'a*@b.cc,', '1*', '·*', 'é*', '*,', 'ﷺ'],
];
const SCRUBBED = [
  ...['1-', '4-', '－１', '姓名', '叫', '姓名：张三', '张三先生', '姓名霍建华、', 'A123456(3) '],
  'Aa Bb, (13812345678',
];
const recognise = treatment('generalize').recognise(
  { category: 'c', grade: 3, generalize: { date: 'year' } } as const,
  { do: 'generalize', because: 'limits' },
);

export const treatments: readonly Limit[] = [
  {
    name: 'a text of a megabyte is masked',
    measured: masks.flatMap((mask) =>
      APPLIED.map((unit) => {
        const long = megabyteOf(unit);
        return () => mask.apply(long);
      }),
    ),
  },
  {
    name: 'a mask is looked for in a megabyte',
    measured: masks.flatMap((mask) =>
      RECOGNISED.map((unit) => {
        const long = `${megabyteOf(unit)}!`;
        return () => mask.recognises(long);
      }),
    ),
  },
  {
    name: 'a coarser value is looked for in a megabyte',
    measured: [' ', '"', '1 ', '-', '\u200b'].map((unit) => {
      const long = text(`1${megabyteOf(unit)}!`);
      return () => recognise(long);
    }),
  },
  {
    name: 'the longest text that is scrubbed',
    measured: SCRUBBED.map((unit) => {
      const long = text(unit.repeat(LONGEST_TEXT / unit.length));
      return () => treat('scrub', long);
    }),
  },
  {
    name: 'two hundred kilobytes are searched for personal data',
    measured: SCRUBBED.map((unit) => {
      const long = unit.repeat(Math.ceil(200_000 / unit.length));
      return () => scrubText(long);
    }),
  },
];
