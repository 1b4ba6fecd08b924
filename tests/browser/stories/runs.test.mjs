// Search Now, review, sync, results, undo (section 4), with scripts and without.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heading, look, open, signIn, visit } from '../browser.mjs';
import { Company } from '../company.mjs';
import { clearFaults, control } from '../stack.mjs';

for (const scripts of [true, false]) {
  const how = scripts ? '' : '-without-scripts';
  test(`4.4, 4.7, 4.14: search, leave two changes out, sync, see what became of each, undo${how}`, async () => {
    const company = await Company.managed(scripts ? 4850 : 4851, ['bob']);
    const bob = { op: 'update_user', user: company.address('bob'), properties: { jobTitle: 'Buyer' } };
    await company.change([...['cy', 'dan', 'eva', 'flo'].map((name) => company.person(name)), bob]);
    await visit(async (page) => {
      await signIn(page, company.address('ann'));
      await look(page, `overview${how}`);
      await open(page, 'Runs');
      await look(page, `runs${how}`);
      await page.getByRole('button', { name: 'Search Now' }).click();
      const sync = page.getByRole('button', { name: 'Sync Active Directory' });
      await sync.waitFor();
      await look(page, `plan${how}`);
      assert.equal((await company.admin({ action: 'get_user', address: company.address('cy') })).user, undefined);

      const changes = page.getByRole('region', { name: 'All changes' }).or(page.locator('[aria-labelledby=list]'));
      assert.equal(await changes.getByRole('checkbox').count(), 5);
      await page.getByLabel(company.address('dan')).uncheck();
      await page.getByLabel(company.address('eva')).uncheck();
      await page.getByRole('button', { name: 'Save the marks' }).click();
      await page.getByText('3 of 5').waitFor();
      assert.equal(await page.getByLabel(company.address('dan')).isChecked(), false);
      assert.equal(await page.getByLabel(company.address('cy')).isChecked(), true);
      await look(page, `plan-reviewed${how}`);

      await sync.click();
      const outcome = (name) => page.getByRole('row', { name: company.address(name) });
      await outcome('cy').getByText('Applied', { exact: true }).waitFor();
      await outcome('bob').getByText('Applied', { exact: true }).waitFor();
      await outcome('dan').getByText('Unchecked', { exact: true }).waitFor();
      await outcome('eva').getByText('Unchecked', { exact: true }).waitFor();
      await look(page, `results${how}`);
      assert.equal((await company.user('bob')).job_title, 'Buyer');

      await page.getByText('Undo this run').click();
      await page.getByRole('button', { name: 'Plan the undo' }).click();
      await page.getByText('It undoes').waitFor();
      await look(page, `undo${how}`);
      await sync.click();
      await outcome('bob').getByText('Applied', { exact: true }).waitFor();
      assert.equal((await company.user('bob')).job_title, null);

      await open(page, 'Runs');
      await look(page, `history${how}`);
      assert.equal(await page.getByRole('region', { name: 'Runs' }).getByRole('row').count(), 4);
    }, { scripts });
  });
}

test('4.8: what the brake holds is released by a person', async () => {
  const names = Array.from({ length: 8 }, (_, number) => `p${number}`);
  const company = await Company.managed(4852, names);
  await company.did({ action: 'put_tenant', settings: { brake: { enabled: true } } });
  await company.change(names.map((name) => ({ op: 'delete_user', user: company.address(name) })));
  const run = await company.ran();
  assert.equal(run.state, 'held');
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await page.getByRole('link', { name: 'Look at the held changes' }).click();
    await look(page, 'held');
    await page.getByLabel('I have looked through them').check();
    await page.getByRole('button', { name: 'Release the held changes' }).click();
    await page.getByText('Applied', { exact: true }).first().waitFor();
    await look(page, 'released');
  });
  assert.equal((await company.user('p0')).is_active, false);
});

test('1.5: a run that cannot connect says what to do', async () => {
  const company = await Company.managed(4853);
  await control('faults', { match: { tenant: company.directory, kind: 'users' }, times: 50, fault: 'forbidden' });
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await open(page, 'Runs');
    await page.getByRole('button', { name: 'Search Now' }).click();
    await page.getByText('Grant admin consent', { exact: false }).first().waitFor();
    await look(page, 'run-failed');
    await open(page, 'Overview');
    await look(page, 'overview-failed');
  });
  await clearFaults(company.directory);
});
