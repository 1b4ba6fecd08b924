// Signing in with Microsoft, as people see it (section 8).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, heading, HOME, leadsTo, look, signIn, visit } from '../browser.mjs';
import { Company } from '../company.mjs';
import { control, stack } from '../stack.mjs';

const SERVICE = stack.SERVICE_SIGN_IN_URL;

for (const scripts of [true, false]) {
  const how = scripts ? '' : '-without-scripts';
  test(`8.2, 8.4: an end user signs in by the alias and out again${how}`, async () => {
    const company = await Company.withPeople(scripts ? 4801 : 4802, ['ann']);
    await visit(async (page) => {
      await page.goto(`${HOME}/`);
      assert.equal(await heading(page), 'Sign in');
      await look(page, `first${how}`);
      await signIn(page, company.address('ANN.alias'));
      assert.equal(page.url(), `${HOME}/`);
      await page.getByText(company.address('ann'), { exact: true }).waitFor();
      await look(page, `signed-in${how}`);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Your e-mail address').waitFor();
      await page.goBack();
      await page.goto(`${HOME}/`);
      assert.equal(await heading(page), 'Sign in', 'signed out');
    }, { scripts });
  });
}

test('8.3: with disable_login there are both ways', async () => {
  const company = await Company.withPeople(4803, ['ann']);
  await company.did({ action: 'put_tenant', settings: { disable_login: true } });
  await visit(async (page) => {
    await begin(page, company.address('ann'));
    const service = page.getByRole('link', { name: 'Sign in', exact: true });
    assert.equal(await service.getAttribute('href'), `${SERVICE}?address=ann%40${company.domain}`);
    await look(page, 'both-ways');
    await leadsTo(page, `${SERVICE}?address=ann%40${company.domain}`, () => service.click());
    await begin(page, company.address('ann'));
    await page.getByRole('link', { name: 'Sign in with Microsoft' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  });
});

test('8.2: Microsoft is down, or the standard way is asked for, or the domain is nobody’s: the service’s own page', async () => {
  const company = await Company.withPeople(4804, ['ann']);
  const down = { match: { kind: 'token', tenant: company.directory }, times: 1, fault: { status: { code: 503 } } };
  const own = `${SERVICE}?address=ann%40${company.domain}`;
  await control('faults', down);
  await visit((page) => leadsTo(page, own, () => begin(page, company.address('ann'))));
  const standard = `${HOME}/signin?address=${company.address('ann')}&standard=1`;
  await visit((page) => leadsTo(page, own, () => page.goto(standard)));
  await visit((page) => leadsTo(page, `${SERVICE}?address=ann%40nobodys.example`, () => begin(page, 'ann@nobodys.example')));
});

test('what is typed wrong, and what is not there', async () => {
  await visit(async (page) => {
    // Chromium's own check of the form takes what has an @; the console looks closer.
    await begin(page, 'ann@localhost');
    await page.getByText('This is not an e-mail address.').waitFor();
    const field = page.getByLabel('Your e-mail address');
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await look(page, 'wrong-address', { status: 400 });
    await page.goto(`${HOME}/nowhere`);
    assert.equal(await heading(page), 'There is no such page');
    await look(page, 'no-such-page', { status: 404 });
  });
});

test('8.1, 8.5: who is refused reads why', async () => {
  const company = await Company.withPeople(4805, ['ann', 'bob', 'box', 'off']);
  await company.convert('bob', 'silent_user');
  await company.convert('box', 'functional_account');
  await company.change([company.person('new')]);
  const cases = [
    ['bob', {}, 'Your account has no sign-in', 'refused-silent'],
    ['box', {}, 'This is a functional account', 'refused-functional'],
    ['new', {}, 'Your account is not known here', 'refused-unknown'],
    ['new', { claims: { acct: 1 } }, 'Your guest account is not known here', 'refused-guest'],
    ['ann', { sign: 'other_key' }, 'You could not be signed in', 'refused-forged'],
    ['ann', { error: 'access_denied' }, 'You are not signed in', 'turned-back'],
  ];
  for (const [name, how, title, shot] of cases) {
    await company.signIns(how);
    await visit(async (page) => {
      await begin(page, company.address(name));
      assert.equal(await heading(page), title);
      await page.getByText('For support:').waitFor();
      await look(page, shot, { status: 403 });
    });
  }
  await company.signIns({});
  await visit(async (page) => {
    await page.goto(`${HOME}/signin/callback?code=1&state=1`);
    assert.equal(await heading(page), 'This sign-in was not started here');
    await look(page, 'not-started-here', { status: 400 });
    await page.goto(`${HOME}/signin/callback?admin_consent=True`);
    assert.equal(await heading(page), 'Consent was given');
    await look(page, 'consent-given');
  });
});

test('8.5: whoever is switched off in Entra is out with the next run', async () => {
  const company = await Company.withPeople(4806, ['ann']);
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await company.change([{ op: 'update_user', user: company.address('ann'), properties: { accountEnabled: false } }]);
    await company.run();
    await page.reload();
    assert.equal(await heading(page), 'Sign in');
  });
});
