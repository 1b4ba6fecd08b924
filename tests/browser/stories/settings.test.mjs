// A tenant of which nothing is known yet becomes one that is connected (sections 1 and 7).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heading, look, open, signIn, visit } from '../browser.mjs';
import { Company, SECRET } from '../company.mjs';

test('1.1, 7.2: the first administrator connects the tenant; a wrong secret says why, and the right one turns it green', async () => {
  const company = await Company.new(4840);
  const { ids: [ann] } = await company.change([company.person('ann')]);
  // All that the operator knows: the domain, and who begins.
  const settings = { name: 'Fourth Coffee', primary_domain: company.domain, domains: [{ name: company.domain }] };
  await company.did({ action: 'put_tenant', settings });
  const user = { primary_email: company.address('ann'), type: 'organization_admin', entra_id: ann };
  await company.did({ action: 'put_user', user });
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    assert.equal(await heading(page), 'Fourth Coffee');
    await look(page, 'overview-of-nothing');
    await open(page, 'Import & Sync');
    await look(page, 'settings-of-nothing');

    await page.getByLabel('Application (client) ID').fill('not an id');
    await page.getByRole('button', { name: 'Save the connection' }).click();
    const field = page.getByLabel('Application (client) ID');
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.equal(await field.inputValue(), 'not an id', 'what was typed is still there');
    await look(page, 'settings-wrong-field', { status: 422 });

    await page.getByLabel('Directory (tenant) ID').fill(company.directoryId);
    await page.getByLabel('Application (client) ID').fill(company.application);
    await page.getByRole('button', { name: 'Save the connection' }).click();
    // Another directory than the one that signed them in ends everybody's session; the way leads back to here.
    const again = page.getByLabel('Your e-mail address');
    await again.or(page.getByRole('status')).first().waitFor();
    if (await again.isVisible()) {
      await again.fill(company.address('ann'));
      await page.getByRole('button', { name: 'Continue' }).click();
    }
    await page.getByRole('status').getByText('The connection is saved').waitFor();

    const secret = page.getByLabel('Secret', { exact: true });
    await secret.fill('Wr0ng~on~purpose');
    await page.getByRole('button', { name: 'Save the secret' }).click();
    await page.getByRole('alert').getByText('does not know', { exact: false }).first().waitFor();
    await page.getByText('AADSTS7000215').first().waitFor();
    assert.equal(await secret.inputValue(), '', 'a secret never comes back');
    assert.ok(!(await page.content()).includes('Wr0ng'));
    await look(page, 'settings-wrong-secret', { status: 422 });

    await secret.fill(SECRET);
    await page.getByRole('button', { name: 'Save the secret' }).click();
    await page.getByRole('status').getByText('SUCCESS').waitFor();
    await page.getByText('Connected', { exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(SECRET));
    await look(page, 'settings-connected');

    await page.getByLabel('Tech contact').fill(company.address('it'));
    await page.getByLabel('Sync Frequency').selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Save the settings' }).click();
    await page.getByRole('status').getByText('The settings are saved.').waitFor();
    await page.getByRole('button', { name: 'Test the connection' }).click();
    await page.getByRole('status').getByText('Connected: Microsoft accepts the connection.').waitFor();
  });
  const saved = await company.did({ action: 'get_tenant' });
  assert.equal(saved.settings.tech_contact, company.address('it'));
  assert.equal(saved.settings.sync_frequency, 1);
  assert.equal(saved.connection.status, 'green');
});

test('what somebody else has saved meanwhile is not overwritten unseen', async () => {
  const company = await Company.managed(4841);
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await open(page, 'Import & Sync');
    await page.getByLabel('Seats').fill('10');
    await company.did({ action: 'put_tenant', settings: { seats: 20 } });
    await page.getByRole('button', { name: 'Save the settings' }).click();
    await page.getByRole('alert').waitFor();
    await look(page, 'settings-superseded', { status: 422 });
  });
  assert.equal((await company.did({ action: 'get_tenant' })).settings.seats, 20);
});
