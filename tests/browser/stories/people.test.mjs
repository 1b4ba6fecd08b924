// Why somebody is here or not, what they are, and what was told of them (sections 4.13, 5 and 6).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heading, look, open, signIn, visit } from '../browser.mjs';
import { Company } from '../company.mjs';

/** Look somebody up. */
async function find(page, text) {
  await page.getByLabel('Who is it about?').fill(text);
  await page.getByRole('button', { name: 'Search' }).click();
}

for (const scripts of [true, false]) {
  const how = scripts ? '' : '-without-scripts';
  test(`4.13, 5.1, 5.4: explain, convert and exempt in one step${how}`, async () => {
    const company = await Company.managed(scripts ? 4860 : 4861, ['bob']);
    const proxyAddresses = ['SMTP:gus@elsewhere.example'];
    await company.change([company.person('gus', { mail: 'gus@elsewhere.example', proxyAddresses })]);
    await company.run();
    await visit(async (page) => {
      await signIn(page, company.address('ann'));
      await open(page, 'People');
      await look(page, `people${how}`);
      await find(page, 'gus@elsewhere.example');
      const way = page.getByRole('region', { name: 'The way through the rules' });
      await way.getByText('elsewhere.example').first().waitFor();
      await page.getByText('No user or group here has this address or ID.').waitFor();
      await look(page, `explain-not-here${how}`);

      await find(page, company.address('bob.alias'));
      await page.getByRole('heading', { name: 'Here: The bob' }).waitFor();
      await look(page, `explain${how}`);
      await page.getByLabel('Make this account a').selectOption({ value: 'functional_account' });
      await page.getByLabel('and exempt it', { exact: false }).check();
      await page.getByRole('button', { name: 'Convert' }).click();
      await page.getByRole('status').getByText('The account is converted and exempt.').waitFor();
      await page.getByRole('link', { name: 'Functional accounts' }).click();
      await page.getByRole('row', { name: company.address('bob') }).waitFor();
      await look(page, `functional-accounts${how}`);

      await find(page, 'bo');
      await page.getByRole('link', { name: 'The bob' }).click();
      await page.getByRole('button', { name: 'End the exemption' }).click();
      await page.getByRole('status').getByText('The exemption has ended.').waitFor();
    }, { scripts });
    const bob = await company.user('bob');
    assert.deepEqual([bob.type, bob.exempt], ['functional_account', false]);
  });
}

test('6.1: a report is read as it is mailed', async () => {
  const company = await Company.managed(4862, ['bob']);
  await visit(async (page) => {
    await signIn(page, company.address('ann'));
    await open(page, 'Reports');
    await look(page, 'reports');
    await page.getByRole('region', { name: 'Reports of the last 90 days' }).getByRole('link').first().click();
    await page.getByRole('region', { name: 'Text of the report' }).getByText(company.domain).first().waitFor();
    assert.match(await heading(page), /^Report of /);
    await look(page, 'report');
  });
});
