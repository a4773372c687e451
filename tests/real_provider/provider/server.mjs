// A certified OpenID provider on this machine, for the tests and the OpenID example. Never for
// anybody's real login: who comes says who they are.
//
// `npm ci && npm start` serves the example, with Node.js 20.12 or newer (on 20 the provider warns,
// Debian 12 has 18). From the environment, before `npm start`:
//   PORT        where to listen on 127.0.0.1 (3100); 0 for a free port
//   SITE_URL    where the example's site is (http://127.0.0.1:3000)
//   CLIENTS     JSON: the metadata of the clients, instead of the example's one
//   CLAIMS_IN_ID_TOKEN=1   name, address and number stand in the ID token too
//   CONTROL=1   commands on stdin, as in `commands` below; the provider ends with its stdin
//
// When it listens, it says so on stdout: {"issuer":"http://127.0.0.1:3100"}.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { createKeys } from './keys.mjs';
import { Memory } from './memory.mjs';
import { createProvider } from './provider.mjs';
import { handle } from './requests.mjs';

const { PORT = '3100', SITE_URL = 'http://127.0.0.1:3000', CLIENTS, CLAIMS_IN_ID_TOKEN, CONTROL } = process.env;

const EXAMPLE = {
  client_id: 'axum-clef-example',
  client_secret: 'only-for-this-machine',
  client_name: 'The example site',
  redirect_uris: [`${SITE_URL}/clef/callback`],
  post_logout_redirect_uris: [`${SITE_URL}/clef/signed-out`],
  backchannel_logout_uri: `${SITE_URL}/clef/logout`,
  backchannel_logout_session_required: true,
};

const memory = new Memory();
let keys = await createKeys();
let notices = [];
let requests = [];
let provider;

const server = createServer((request, response) => {
  if (CONTROL === '1') {
    const [path] = request.url.split('?');
    const [scheme = null] = request.headers.authorization?.split(' ') ?? [];
    requests.push({ path, scheme });
  }
  return handle(provider, request, response);
});
server.once('error', (error) => {
  console.error(`cannot listen on 127.0.0.1:${PORT}: ${error.message}; set PORT to another`);
  process.exit(1);
});
await new Promise((resolve) => server.listen(Number(PORT), '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
open();
for (const client of CLIENTS ? JSON.parse(CLIENTS) : [EXAMPLE]) {
  await register(client);
}
tell({ issuer });

// The provider reads its keys once, so other keys are another provider over the same memory.
function open() {
  provider = createProvider({
    issuer,
    keys,
    memory,
    claimsInIdToken: CLAIMS_IN_ID_TOKEN === '1',
    onNotice: (notice) => notices.push(notice),
  });
}

async function register(metadata) {
  // Made to be checked.
  const client = new provider.Client(metadata);
  await memory.adapter('Client').upsert(client.clientId, metadata);
}

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const commands = {
  // {"register": METADATA}: a client more, or other metadata for one.
  async register(metadata) {
    await register(metadata);
    return {};
  },
  // {"rotate_keys": {"keep": true}}: signs with new keys, and goes on to publish the old ones or not.
  async rotate_keys({ keep }) {
    const old = keep ? keys : [];
    keys = [...(await createKeys()), ...old];
    open();
    return { kids: keys.map((key) => key.kid) };
  },
  // {"age_sessions": {"seconds": 60}}: everybody has authenticated so much earlier.
  async age_sessions({ seconds }) {
    for (const session of memory.adapter('Session').all()) {
      session.loginTs -= seconds;
    }
    return {};
  },
  // {"take_notices": {}}: which logout notices were sent since the last time, and how they were answered.
  async take_notices() {
    const taken = notices;
    notices = [];
    return { notices: taken };
  },
  // {"take_requests": {}}: the path of each request since the last time, and the scheme of its
  // Authorization header.
  async take_requests() {
    const taken = requests;
    requests = [];
    return { requests: taken };
  },
};

if (CONTROL === '1') {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const [[name, input]] = Object.entries(JSON.parse(line));
      tell(await commands[name](input));
    } catch (error) {
      tell({ error: error.error_description ?? error.message });
    }
  }
  process.exit();
}
