// All tenants at a glance, for the operator's group alone; and who changed what, for each tenant.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heading, HOME, look, open, signIn, visit } from '../browser.mjs';
import { Company } from '../company.mjs';

test('the operator sees all tenants, and takes them along as CSV', async () => {
  // Its leaders are the operators of a local stack.
  const company = await Company.contoso();
  await visit(async (page) => {
    await signIn(page, company.address('pattif'));
    await open(page, 'All tenants');
    const row = page.getByRole('row', { name: company.tenant });
    await row.waitFor();
    await look(page, 'operator');
    const link = await page.getByRole('link', { name: 'Download all tenants as CSV' }).getAttribute('href');
    const file = await page.request.get(new URL(link, page.url()).href);
    assert.match(file.headers()['content-disposition'], /^attachment; filename="tenants-\d{4}-\d\d-\d\d\.csv"/);
    const lines = (await file.text()).trimEnd().split('\r\n');
    assert.ok(lines.some((line) => line.startsWith(`"${company.tenant}",`)), lines[0]);
    await page.goto(`${HOME}/exemptions`);
    assert.equal(await heading(page), 'This page is for administrators', 'who operates need not manage');
  });
  await visit(async (page) => {
    await signIn(page, company.address('adelev'));
    await page.goto(`${HOME}/operator`);
    assert.equal(await heading(page), 'This page is for the operator');
    await look(page, 'not-the-operator', { status: 403 });
    assert.equal((await page.request.get(`${HOME}/operator.csv`)).status(), 403);
  });
});

test('2.12: the audit names who changed what, and no secret', async () => {
  const company = await Company.managed(4870, ['bob']);
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await open(page, 'Import & Sync');
    await page.getByLabel('Seats').fill('12');
    await page.getByRole('button', { name: 'Save the settings' }).click();
    await page.getByRole('status').getByText('The settings are saved.').waitFor();
    await open(page, 'Audit');
    const row = page.getByRole('row').filter({ hasText: company.address('ann') }).filter({ hasText: 'Settings changed' });
    assert.match(await row.first().innerText(), /12/);
    await page.getByRole('row').filter({ hasText: 'Credential saved' }).waitFor();
    assert.ok(!(await page.content()).includes('demo-company-value'));
    await look(page, 'audit');
  });
});
