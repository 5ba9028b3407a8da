"use strict";
// Shows what is new, in place: the page is fetched again when something happens, and the
// parts marked `data-live` are put in place of the old ones. Without this script the page
// does the same things by being loaded anew.
(() => {
  const clocks = () => {
    const today = new Date().toDateString();
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const same = at.toDateString() === today;
      time.textContent = same ? at.toLocaleTimeString() : at.toLocaleString();
      time.title = at.toString();
    }
  };
  clocks();

  const main = document.querySelector("[data-live-from]");
  if (!main || !document.querySelector("[data-live]")) return;

  const typing = (part) => {
    const focused = document.activeElement;
    return part.contains(focused) && /^(INPUT|TEXTAREA|SELECT)$/.test(focused.tagName);
  };
  const put = (old, fresh) => {
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    for (const open of old.querySelectorAll("details[open][id]")) {
      const same = fresh.querySelector("#" + CSS.escape(open.id));
      if (same) same.open = true;
    }
    old.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus();
  };

  let busy = false;
  let again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "x-live": "1" } });
      if (answer.redirected) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(old.id);
        if (fresh && !typing(old)) put(old, fresh);
      }
      clocks();
    } catch {
      // The front is away; the stream connects again by itself, and then this is repeated.
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  };

  const source = new EventSource(main.dataset.liveFrom);
  source.addEventListener("message", refresh);
  document.documentElement.classList.add("is-live");
  // Times that are shown as "in 40 s" go stale on a quiet page.
  setInterval(() => { if (!document.hidden) refresh(); }, 10000);
})();
