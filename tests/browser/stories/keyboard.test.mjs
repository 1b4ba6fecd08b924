// The way to a change without a mouse.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOME, tabTo, visit } from '../browser.mjs';
import { Company } from '../company.mjs';

test('the keyboard alone: sign in, skip to the content, exempt an address, sign out', async () => {
  const company = await Company.withPeople(4830, ['ann', 'bob']);
  await company.convert('ann', 'organization_admin');
  await visit(async (page) => {
    const press = (key) => page.keyboard.press(key);
    await page.goto(`${HOME}/`);
    // The field has the focus from the beginning, or a moment after it.
    await page.waitForFunction(() => document.activeElement.id === 'address');
    await page.keyboard.type(company.address('ann'));
    await press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();

    await tabTo(page, page.getByRole('link', { name: 'Exemptions' }));
    await press('Enter');
    await page.getByRole('heading', { name: 'Exemptions' }).waitFor();
    await press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    assert.ok(await skip.evaluate((link) => link === document.activeElement), 'the first thing that Tab reaches');
    await press('Enter');
    await press('Tab');
    const address = page.getByLabel('Address to exempt');
    assert.ok(await address.evaluate((field) => field === document.activeElement), 'the first thing of the content');
    await page.keyboard.type(company.address('bob'));
    await press('Enter');
    await page.getByRole('status').getByText('The address is exempt.').waitFor();

    await tabTo(page, page.getByRole('button', { name: 'Sign out' }));
    await press('Enter');
    await page.getByLabel('Your e-mail address').waitFor();
  });
});
