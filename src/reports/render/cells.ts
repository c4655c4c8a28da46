/** How a cell is spelled for people. */
import { percent } from '../sections.ts';
import type { Cell, Column } from '../report.ts';

export const spelled = (cell: Cell, { is }: Column): string =>
  cell === null ? '–' : typeof cell === 'number' && is === 'share' ? percent(cell) : String(cell);

export const isNumber = ({ is }: Column): boolean => is !== undefined;
