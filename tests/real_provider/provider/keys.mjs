// The keys that tokens are signed with: RS256, which is every client's unless it says otherwise,
// and ES256. The first of its kind signs; all are published.
import { generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

export async function createKeys() {
  const pairs = [
    ['RS256', await generate('rsa', { modulusLength: 2048 })],
    ['ES256', await generate('ec', { namedCurve: 'P-256' })],
  ];
  return pairs.map(([alg, { privateKey }]) => ({
    ...privateKey.export({ format: 'jwk' }),
    alg,
    use: 'sig',
    kid: randomUUID(),
  }));
}
