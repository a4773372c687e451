// The pages of the provider: plain forms, which work without a script.
import { readFileSync } from 'node:fs';

import { PEOPLE } from './people.mjs';

const STYLE = readFileSync(new URL('style.css', import.meta.url), 'utf8');

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

function page(title, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body><main>
<p class="kicker">OpenID provider on this machine</p>
<h1>${escape(title)}</h1>
${body}
</main></body>
</html>
`;
}

// Who is logged in at the provider in this browser.
export function front(person) {
  if (!person) {
    return page(
      'You are not logged in',
      '<p>Go to the site and log in there: it sends you here, and you come back to it.</p>',
    );
  }
  return page(
    `You are ${person.name}`,
    `<p>This browser is logged in here. Logging out tells every site that you logged in to from it.</p>
<a class="button" href="/session/end">Log out</a>`,
  );
}

export function login(site) {
  const people = PEOPLE.map(
    (person) => `<button class="person" name="person" value="${escape(person.sub)}">${escape(person.name)}
<small>${escape(person.email ?? 'has shared no address')}</small></button>`,
  );
  return page(
    'Who are you?',
    `<p>${escape(site)} wants to know who you are.</p>
<form class="choices" method="post">
${people.join('\n')}
<button class="quiet" name="cancel" value="yes">Cancel</button>
</form>`,
  );
}

// The form is the provider's own; its buttons are ours.
export function logout(form) {
  return page(
    'Log out?',
    `<p>This ends your login here and at every site that you logged in to from this browser.</p>
${form}
<div class="choices">
<button form="op.logoutForm" name="logout" value="yes">Log out</button>
<button class="quiet" form="op.logoutForm">Stay logged in here</button>
</div>`,
  );
}

export function loggedOut() {
  return page('You are done here', '<p>You can close this page.</p>');
}

export function failure({ error, error_description: description }) {
  return page('This did not work', `<p>${escape(description ?? error)} (${escape(error)})</p>`);
}
