// Every page works without this. A page that watches something under way is looked at again while it lasts, and a review
// counts what is checked.
"use strict";
(() => {
  const watched = () => document.querySelector("[data-watch]");
  const since = Date.now();
  // What takes long is looked at less often, and not at all while nobody sees it.
  const pause = () => new Promise((then) => setTimeout(then, Math.min(2000 + (Date.now() - since) / 10, 15000)));
  const seen = () =>
    document.hidden && new Promise((then) => document.addEventListener("visibilitychange", then, { once: true }));
  // Whether there is more to come.
  const look = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { "x-watch": "1" } });
    if (answer.status === 429 || answer.status >= 500) return true;
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-watch]");
    if (!fresh) return location.reload();
    if (fresh.innerHTML !== watched().innerHTML) watched().innerHTML = fresh.innerHTML;
    return true;
  };
  const watch = async () => {
    do {
      await pause();
      await seen();
    } while (await look().catch(() => true));
  };
  if (watched()) watch();

  // A second click sends nothing while the first is on its way.
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => sent.delete(form)));

  const total = document.querySelector("[data-checked]");
  const boxes = [...document.querySelectorAll('input[name="check"]')];
  const elsewhere = total && Number(total.dataset.checked) - boxes.filter((box) => box.defaultChecked).length;
  const count = () => (total.textContent = (elsewhere + boxes.filter((box) => box.checked).length).toLocaleString("en"));
  if (total) document.addEventListener("change", count);
})();
