// The provider's own pages; what is not among them is for oidc-provider.
import * as pages from './pages.mjs';
import { personBy } from './people.mjs';

// The largest form that is read, in bytes.
const LARGEST_FORM = 16 * 1024;

// Answers every request, however odd, and never rejects: an unhandled rejection ends the process.
export async function handle(provider, request, response) {
  try {
    // Not by `URL`, which throws on `//` and reads a host in `//host/`.
    const [pathname] = request.url.split('?');
    if (pathname === '/' && request.method === 'GET') {
      await front(provider, request, response);
    } else if (pathname.startsWith('/interaction/')) {
      await interaction(provider, request, response);
    } else {
      await provider.callback()(request, response);
    }
  } catch (error) {
    // A page that is called up out of order is known by its status.
    const status = error.status ?? 500;
    if (status === 500) {
      console.error(error);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { error: name = 'server_error', error_description: description } = error;
    html(response, pages.failure({ error: name, error_description: description }), status);
  }
}

async function front(provider, request, response) {
  const context = provider.createContext(request, response);
  const session = await provider.Session.get(context);
  html(response, pages.front(personBy(session.accountId)));
}

async function interaction(provider, request, response) {
  const { params, prompt } = await provider.interactionDetails(request, response);
  const finish = (result) => provider.interactionFinished(request, response, result);
  if (prompt.name === 'consent') {
    await finish({ consent: {} });
    return;
  }
  if (request.method !== 'POST') {
    const client = await provider.Client.find(params.client_id);
    html(response, pages.login(client?.clientName ?? params.client_id));
    return;
  }
  const form = await readForm(request);
  const person = personBy(form.get('person'));
  if (person) {
    await finish({ login: { accountId: person.sub } });
  } else {
    await finish({ error: 'access_denied', error_description: 'the person has cancelled' });
  }
}

async function readForm(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > LARGEST_FORM) {
      throw Object.assign(new Error('the form is too large'), { status: 413 });
    }
    parts.push(part);
  }
  return new URLSearchParams(Buffer.concat(parts).toString());
}

function html(response, body, status = 200) {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
