/** Keys of checkpoints. */
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { NoteSigner } from '../../src/model/signing.ts';

export function newSigner(): NoteSigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: () => createPublicKey(privateKey),
    sign: async (text) => sign(null, Buffer.from(text), privateKey),
  };
}
