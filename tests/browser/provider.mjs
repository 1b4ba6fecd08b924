// A certified OpenID provider in the place of one directory: panva's `oidc-provider`, with its own pages. Everything else
// that is asked of it goes on to the stack's stand-in for Microsoft.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, request } from 'node:http';
import Provider from 'oidc-provider';
import { HOME } from './browser.mjs';
import { stack } from './stack.mjs';

/** The value of the client secret of the application that signs people in: a demo value that opens nothing. */
const SECRET = 'demo-sign-in-value';

/**
 * Signs in the people of a company for the time of `story`, which gets the provider's origin. `objects` are the ids of
 * people by address: whom its form is told, and who then is in its ID token.
 */
export async function withProvider(company, objects, story) {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const path = `/${company.directoryId}/v2.0`;
  const provider = new Provider(`${origin}${path}`, settings(company, objects)).callback();
  server.on('request', (asked, answer) => {
    if (!asked.url.startsWith(`${path}/`)) return forward(asked, answer);
    // As a framework would mount it: the provider takes its own address from what is cut off.
    asked.originalUrl = asked.url;
    asked.url = asked.url.slice(path.length);
    provider(asked, answer);
  });
  try {
    return await story(origin);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

function settings(company, objects) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: randomUUID() };
  return {
    clients: [{
      client_id: stack.SIGN_IN_CLIENT_ID,
      client_secret: SECRET,
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [`${HOME}/signin/callback`],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    pkce: { required: () => true },
    // As Microsoft does, in the ID token itself.
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'tid', 'oid'], profile: ['name', 'preferred_username'] },
    findAccount: (_, address) => ({
      accountId: address,
      claims: () => ({
        sub: `pairwise of ${address}`,
        tid: company.directoryId,
        oid: objects[address],
        name: address,
        preferred_username: address,
      }),
    }),
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: { devInteractions: { enabled: true } },
    jwks: { keys: [key] },
    cookies: { keys: [randomUUID()] },
  };
}

/** With the name that it was asked by, so that the stand-in takes itself to be here. */
function forward(asked, answer) {
  const { hostname, port } = new URL(stack.LOGIN_ENDPOINT);
  const { method, url: path, headers } = asked;
  const onward = request({ hostname, port, method, path, headers }, (said) => {
    answer.writeHead(said.statusCode, said.headers);
    said.pipe(answer);
  });
  onward.on('error', () => answer.destroy());
  asked.pipe(onward);
}
