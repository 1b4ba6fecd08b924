// Signing in at a certified OpenID provider, through its own pages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, heading, HOME, visit } from '../../browser.mjs';
import { Company } from '../../company.mjs';
import { withProvider } from '../../provider.mjs';
import { withConsole } from '../../stack.mjs';

test('8.1, 8.4: a person signs in at another OpenID provider, with its form and its consent', async () => {
  const company = await Company.withPeople(4810, ['ann']);
  const { entra_id: ann } = await company.user('ann');
  const [known, unknown] = [company.address('ann'), company.address('new')];
  const objects = { [known]: ann, [unknown]: '5b6e1f4c-0c38-4b0e-9a47-0d4c1f9a0001' };
  await withProvider(company, objects, (origin) => withConsole({ LOGIN_ENDPOINT: origin }, async () => {
    await visit(async (page) => {
      await begin(page, company.address('ann.alias'));
      const form = page.getByPlaceholder('Enter any login');
      assert.equal(new URL(page.url()).origin, origin);
      assert.equal(await form.inputValue(), company.address('ann.alias'), 'the provider was told who it may be');
      await signInAt(page, known);
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
      assert.equal(page.url(), `${HOME}/`);
      await page.getByText(known, { exact: true }).waitFor();
    }, { others: [origin] });

    await visit(async (page) => {
      await begin(page, known);
      await signInAt(page, unknown);
      await page.getByText('For support:').waitFor();
      assert.equal(await heading(page), 'Your account is not known here');
    }, { others: [origin] });

    await visit(async (page) => {
      await begin(page, known);
      await page.getByRole('link', { name: 'Cancel' }).click();
      await page.getByText('For support:').waitFor();
      assert.equal(await heading(page), 'You are not signed in');
    }, { others: [origin] });
  }));
});

/** What the provider's own pages ask: who it is, and whether the console may know. */
async function signInAt(page, address) {
  await page.getByPlaceholder('Enter any login').fill(address);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}
