// Exempting an address from synchronisation, and ending that (rule 5.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heading, HOME, look, signIn, visit } from '../browser.mjs';
import { Company } from '../company.mjs';

for (const scripts of [true, false]) {
  const how = scripts ? '' : '-without-scripts';
  test(`5.3: an administrator exempts an address and ends it${how}`, async () => {
    const company = await Company.withPeople(scripts ? 4820 : 4821, ['ann', 'bob']);
    await company.convert('ann', 'organization_admin');
    await visit(async (page) => {
      await signIn(page, company.address('ann'));
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Exemptions' }).click();
      assert.equal(await heading(page), 'Exemptions');
      await look(page, `exemptions-none${how}`);

      await page.getByLabel('Address to exempt').fill(company.address('bob'));
      await page.getByRole('button', { name: 'Exempt', exact: true }).click();
      await page.getByRole('status').getByText('The address is exempt.').waitFor();
      const row = page.getByRole('row', { name: company.address('bob') });
      assert.match(await row.innerText(), new RegExp(`${company.address('ann')}`), 'who did it');
      await look(page, `exemptions${how}`);
      assert.equal((await company.user('bob')).exempt, true);

      await row.getByRole('button', { name: `End the exemption of ${company.address('bob')}` }).click();
      await page.getByRole('status').getByText('The exemption has ended.').waitFor();
      assert.equal(await row.count(), 0);
    }, { scripts });
  });
}

test('4.2: an end user does not manage', async () => {
  const company = await Company.withPeople(4822, ['eve']);
  await visit(async (page) => {
    await signIn(page, company.address('eve'));
    const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
    assert.deepEqual(await links.allInnerTexts(), ['Overview']);
    await page.goto(`${HOME}/exemptions`);
    assert.equal(await heading(page), 'This page is for administrators');
    await look(page, 'not-an-administrator', { status: 403 });
  });
});
