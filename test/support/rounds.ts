/** How often a test of faults is repeated at random moments: `npm run faults -- --rounds 50`. */
export const ROUNDS = Number(process.env['SLUICE_FAULT_ROUNDS'] ?? 1);
