// The deployed stack as an operator sees it: functions to invoke, and the stand-in for Microsoft beside it.

import { readFileSync } from 'node:fs';
import { AwsClient } from 'aws4fetch';

/** What `make up` wrote down. */
export const stack = read(process.env.STACK_ENV ?? new URL('../../.local/stack.env', import.meta.url));

function read(path) {
  const lines = readFileSync(path, 'utf8').split('\n');
  const pairs = lines.filter((line) => line.includes('=')).map((line) => line.match(/^([^=]*)=(.*)$/).slice(1));
  return Object.fromEntries(pairs);
}

const signer = (accessKeyId, secretAccessKey) =>
  new AwsClient({ accessKeyId, secretAccessKey, region: stack.AWS_REGION, service: 'lambda', retries: 0 });
const operator = signer(stack.AWS_ACCESS_KEY_ID, stack.AWS_SECRET_ACCESS_KEY);
// The root of local AWS: a key that everybody knows, and that opens nothing elsewhere.
const root = signer('test', 'test');

async function lambda(who, method, path, body) {
  const url = `${stack.AWS_ENDPOINT_URL}/2015-03-31/functions/${path}`;
  const answer = await who.fetch(url, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok || answer.headers.get('x-amz-function-error')) throw new Error(`${method} ${path}: ${text}`);
  return JSON.parse(text);
}

/** Invoke a function by the name of its output without `Function`, such as `Admin`. */
export const invoke = (name, event) => lambda(operator, 'POST', `${stack[`${name}Function`]}/invocations`, event);

/** Have the console run with other variables for the time of `story`; they are put back whatever comes of it. */
export async function withConsole(variables, story) {
  const name = stack.AdminFunction.replace(/admin$/, 'console');
  const before = (await lambda(root, 'GET', `${name}/configuration`)).Environment.Variables;
  const set = (Variables) => lambda(root, 'PUT', `${name}/configuration`, { Environment: { Variables } });
  await set({ ...before, ...variables });
  try {
    return await story();
  } finally {
    await set(before);
  }
}

async function standIn(method, path, body) {
  const url = `${stack.GRAPH_ENDPOINT}/_control/${path}`;
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the stand-in refuses ${path}: ${text}`);
  return JSON.parse(text);
}

/** Ask the stand-in for Microsoft for something by its control addresses. */
export const control = (path, body) => standIn('POST', path, body);

/** Take back the faults of one directory; other stories keep theirs. */
export const clearFaults = (directory) => standIn('DELETE', `faults?tenant=${directory}`);
