// better-auth as an OpenID provider on this machine, for the tests. Not for real logins.
//
// After `npm ci`, with Node.js 20.12 or newer. From the environment:
//   ALGORITHM   of the tokens (EdDSA, as by default)
//   PASSWORD    of all users
//
// When it listens on a free port, it prints its issuer: {"issuer":"http://127.0.0.1:40000/api/auth"}.
// Then it reads commands from stdin, as in `commands` below, and ends with its stdin.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const { ALGORITHM = 'EdDSA', PASSWORD } = process.env;
const OPERATOR = 'operator@example.com';
const PEOPLE = { [OPERATOR]: 'Operator', 'mira@example.com': 'Mira Lindqvist', 'noor@example.com': 'Noor' };

const TABLES = ['user', 'session', 'account', 'verification', 'jwks', 'oauthClient', 'oauthResource',
  'oauthClientResource', 'oauthRefreshToken', 'oauthAccessToken', 'oauthConsent', 'oauthClientAssertion'];
const tables = Object.fromEntries(TABLES.map((table) => [table, []]));

let handle;
const server = createServer((request, response) => handle(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const baseURL = `http://127.0.0.1:${server.address().port}`;

let registering;
const auth = betterAuth({
  baseURL,
  secret: randomBytes(32).toString('base64'),
  database: memoryAdapter(tables),
  emailAndPassword: { enabled: true },
  // Stdout is for answers.
  logger: { log: (level, ...message) => console.error(level, ...message) },
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: ALGORITHM } } }),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      generateClientId: () => registering.client_id,
      generateClientSecret: () => registering.client_secret,
    }),
  ],
  telemetry: { enabled: false },
});
handle = toNodeHandler(auth);

for (const [email, name] of Object.entries(PEOPLE)) {
  await auth.api.signUpEmail({ body: { email, name, password: PASSWORD } });
}
for (const user of tables.user) {
  user.emailVerified = true;
}
const { headers } = await auth.api.signInEmail({ body: { email: OPERATOR, password: PASSWORD }, returnHeaders: true });
const operator = { cookie: headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ') };
tell({ issuer: `${baseURL}/api/auth` });

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const commands = {
  // {"register": METADATA}: a client more. better-auth registers none at loopback, so that its
  // addresses are written over those of a public site.
  async register(metadata) {
    registering = metadata;
    const publicly = (url) => `https://site.example${new URL(url).pathname}`;
    await auth.api.adminCreateOAuthClient({
      headers: operator,
      body: {
        redirect_uris: metadata.redirect_uris.map(publicly),
        post_logout_redirect_uris: metadata.post_logout_redirect_uris.map(publicly),
        backchannel_logout_uri: publicly(metadata.backchannel_logout_uri),
        backchannel_logout_session_required: metadata.backchannel_logout_session_required,
        enable_end_session: true,
        skip_consent: true,
        scope: 'openid profile email',
      },
    });
    const client = tables.oauthClient.find(({ clientId }) => clientId === metadata.client_id);
    client.redirectUris = metadata.redirect_uris;
    client.postLogoutRedirectUris = metadata.post_logout_redirect_uris;
    client.backchannelLogoutUri = metadata.backchannel_logout_uri;
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const [[name, input]] = Object.entries(JSON.parse(line));
    tell(await commands[name](input));
  } catch (error) {
    tell({ error: error.body?.error_description ?? error.message });
  }
}
process.exit();
