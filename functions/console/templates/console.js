// Every page works without this. A page that watches something under way is looked at again while it lasts, and a review
// counts what is checked.
"use strict";
(() => {
  const PAUSE = 2000;
  const watched = () => document.querySelector("[data-watch]");
  const look = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { "x-watch": "1" } });
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-watch]");
    if (!fresh) return location.reload();
    if (fresh.innerHTML !== watched().innerHTML) watched().innerHTML = fresh.innerHTML;
    setTimeout(again, PAUSE);
  };
  const again = () => look().catch(() => setTimeout(again, PAUSE));
  if (watched()) setTimeout(again, PAUSE);

  const total = document.querySelector("[data-checked]");
  const boxes = [...document.querySelectorAll('input[name="check"]')];
  const elsewhere = total && Number(total.dataset.checked) - boxes.filter((box) => box.defaultChecked).length;
  const count = () => (total.textContent = (elsewhere + boxes.filter((box) => box.checked).length).toLocaleString("en"));
  if (total) document.addEventListener("change", count);
})();
