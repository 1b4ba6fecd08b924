// One Chromium for a file of stories, a fresh context for each of them, and a close look at every page.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { stack } from './stack.mjs';

/** Where the console is, without a slash at its end. */
export const HOME = stack.ConsoleUrl;
const SERVICE = new URL(stack.SERVICE_SIGN_IN_URL).origin;
const OWN = new URL(HOME).origin;
const SHOTS = new URL('shots/', import.meta.url).pathname;
/** No answer of the console is larger, so that a page is there at once on a slow line too. */
const LARGEST = 30_000;
/** WCAG wants a page to need no sideways scrolling where it is 320 pixels wide. */
const SIZES = { phone: { width: 320, height: 640 }, desktop: { width: 1280, height: 800 } };
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const QUIET = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  // No network but loopback.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

let browser;

before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET });
});

after(() => browser?.close());

/** Somebody's browser, for the time of `story`; without `scripts` JavaScript is off. It may go to `others` too. */
export async function visit(story, { scripts = true, others = [] } = {}) {
  const context = await browser.newContext({ javaScriptEnabled: scripts, viewport: SIZES.desktop });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  watch(page, { scripts, others });
  try {
    return await story(page);
  } finally {
    await context.close();
  }
}

const watched = new WeakMap();

function watch(page, { scripts, others }) {
  const seen = { problems: [], document: null, scripts };
  watched.set(page, seen);
  const known = new Set([OWN, SERVICE, new URL(stack.LOGIN_ENDPOINT).origin, ...others]);
  page.on('request', (request) => {
    const to = new URL(request.url()).origin;
    if (request.isNavigationRequest() ? known.has(to) : to === OWN || !isOurs(request.frame().url())) return;
    seen.problems.push(`a request to ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.request().isNavigationRequest() && response.frame() === page.mainFrame()) seen.document = response;
  });
  page.on('console', (message) => {
    // Chromium also says so where the page itself is a refusal.
    const refusal = message.text().startsWith('Failed to load resource') && message.location().url === page.url();
    if (message.type() === 'error' && !refusal && isOurs(page.url())) seen.problems.push(message.text());
  });
  page.on('pageerror', (error) => seen.problems.push(String(error)));
}

const isOurs = (url) => url.startsWith(HOME);

/** Look at a page of the console in light and dark, on a phone and on a desk: is it fit for everybody, and quiet? */
export async function look(page, name, { status = 200 } = {}) {
  assert.ok(isOurs(page.url()), `${name} is a page of the console: ${page.url()}`);
  const { problems, document, scripts } = watched.get(page);
  assert.equal(document.status(), status, name);
  const policy = document.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'none'/, `${name} has a policy`);
  const size = (await document.body()).length;
  assert.ok(size < LARGEST, `${name} has ${size} bytes`);
  for (const [device, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const shown = `${name} (${device}, ${colorScheme})`;
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(SHOTS, `${name}-${device}-${colorScheme}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= viewport.width, `${shown} scrolls sideways: ${wide} pixels`);
      assert.deepEqual(await page.evaluate(brokenWords), [], `${shown} breaks short words`);
      // Axe is a script itself; the page is the same without.
      if (!scripts) continue;
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).setLegacyMode().analyze();
      assert.deepEqual(violations.map(told), [], shown);
    }
  }
  await page.setViewportSize(SIZES.desktop);
  assert.deepEqual(problems, [], name);
}

/** Short words that are on two lines, as in a column that is too narrow to be read. Runs in the page. */
function brokenWords() {
  const broken = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data } = texts.currentNode;
    for (const { 0: word, index } of data.matchAll(/[\p{L}\p{N}]{2,12}(?![\p{L}\p{N}@._-])/gu)) {
      if (/[\p{L}\p{N}@._-]/u.test(data[index - 1] ?? ' ')) continue;
      const range = document.createRange();
      range.setStart(texts.currentNode, index);
      range.setEnd(texts.currentNode, index + word.length);
      const lines = new Set([...range.getClientRects()].map((part) => Math.round(part.top)));
      if (lines.size > 1) broken.add(word);
    }
  }
  return [...broken];
}

/** A violation in a few words. */
const told = ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(' ')}`;

/** Do something that leads to the page `url`, which is not there: it belongs to the service that the operator has. */
export async function leadsTo(page, url, act) {
  const asked = page.waitForRequest((request) => request.isNavigationRequest() && request.url() === url);
  // Chromium says that it finds no such host, sooner or later.
  await Promise.all([asked, act().catch(() => {})]);
}

/** Press Tab until something has the focus, and see that it shows. */
export async function tabTo(page, locator) {
  const wanted = await locator.elementHandle();
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    if (!(await wanted.evaluate((element) => element === document.activeElement))) continue;
    const shows = await wanted.evaluate((element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    });
    assert.ok(shows, `the focus shows on ${locator}`);
    return;
  }
  assert.fail(`the keyboard does not reach ${locator}`);
}

/** The heading of the page that is shown. */
export const heading = (page) => page.getByRole('heading', { level: 1 }).innerText();

/** Type an address on the first page, and go on. */
export async function begin(page, address) {
  await page.goto(`${HOME}/`);
  await page.getByLabel('Your e-mail address').fill(address);
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** Go to a page by its link in the navigation. */
export async function open(page, name) {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
  await page.getByRole('link', { name }).and(page.locator('[aria-current=page]')).waitFor();
}

/** Sign in, to the first page of whoever is signed in. */
export async function signIn(page, address) {
  await begin(page, address);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
