// oidc-provider as this machine needs it: loopback, http, and people instead of passwords.
import { Provider } from 'oidc-provider';

import * as pages from './pages.mjs';
import { personBy } from './people.mjs';

const HOUR = 60 * 60;
const SCOPES = 'openid profile email phone';

// One provider, with one set of keys.
//
// `claimsInIdToken` puts what the scopes name into the ID token too; without it, an ID token has
// the subject only, and the rest is at the userinfo endpoint, as the specification has it.
export function createProvider({ issuer, keys, memory, claimsInIdToken, onNotice }) {
  // Cookies know no ports: two providers on this machine would take each other's.
  const prefix = `op_${new URL(issuer).port}`;
  const provider = new Provider(issuer, {
    adapter: memory.adapter,
    jwks: { keys },
    scopes: SCOPES.split(' '),
    claims: {
      openid: ['sub'],
      profile: ['name', 'given_name', 'family_name'],
      email: ['email', 'email_verified'],
      phone: ['phone_number', 'phone_number_verified'],
    },
    conformIdTokenClaims: !claimsInIdToken,
    responseTypes: ['code'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    pkce: { required: () => true },
    cookies: {
      names: {
        session: `${prefix}_session`,
        interaction: `${prefix}_interaction`,
        resume: `${prefix}_resume`,
      },
    },
    ttl: { AccessToken: HOUR, AuthorizationCode: 60, Grant: 24 * HOUR, IdToken: HOUR, Interaction: HOUR, Session: 24 * HOUR },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = pages.logout(form);
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.type = 'html';
          ctx.body = pages.loggedOut();
        },
      },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: consent,
    findAccount: (ctx, sub) => {
      const person = personBy(sub);
      return person && { accountId: sub, claims: () => person };
    },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = pages.failure(out);
    },
    // By itself it keeps away from addresses like 127.0.0.1, where here all sites are.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });

  const notice = (client, sub, sid, outcome) => {
    // The provider knows the `sid` always, and tells it to who asked for it.
    const told = client.backchannelLogoutSessionRequired ? sid : null;
    onNotice({ client_id: client.clientId, sub, sid: told, ...outcome });
  };
  provider.on('backchannel.success', (ctx, client, sub, sid) => {
    notice(client, sub, sid, { accepted: true, status: null });
  });
  provider.on('backchannel.error', (ctx, error, client, sub, sid) => {
    notice(client, sub, sid, { accepted: false, status: error.response?.status ?? null });
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider;
}

// Everybody agrees to everything.
async function consent(ctx) {
  const { client, session, provider } = ctx.oidc;
  const given = session.grantIdFor(client.clientId);
  const known = given && (await provider.Grant.find(given));
  if (known) {
    return known;
  }
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(SCOPES);
  await grant.save();
  return grant;
}
