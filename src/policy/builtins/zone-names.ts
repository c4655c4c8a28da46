/** Abbreviations of time zones. */
export const abbreviationOf = (_zone: string, _seconds: number, offset: number): string => {
  const minutes = Math.abs(offset) / 60;
  return `${offset < 0 ? '-' : '+'}${String(Math.floor(minutes / 60)).padStart(2, '0')}`;
};
