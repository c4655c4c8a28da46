/** Integer literals of Go. */

const SPELLED = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;

/** Go's strconv.ParseInt with base 0, without a size limit: 0x, 0o, 0b, and a leading zero for octal */
export const goInteger = (text: string): bigint | undefined => {
  const m = SPELLED.exec(text);
  if (m === null) return undefined;
  const [, sign, hex, binary, octal, decimal] = m;
  const n = BigInt(
    hex !== undefined
      ? `0x${hex}`
      : binary !== undefined
        ? `0b${binary}`
        : octal !== undefined
          ? `0o${octal}`
          : (decimal as string),
  );
  return sign === '-' ? -n : n;
};
