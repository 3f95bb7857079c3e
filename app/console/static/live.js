// Keeps what is marked data-live up to date. Without it every page works; a reload shows the same.
const policy = window.trustedTypes?.createPolicy("relay", { createHTML: (text) => text }) ?? { createHTML: (text) => text };
const EVERY_MS = 5_000, MOST_MS = 60_000, PATIENCE_MS = 10_000;
const asof = document.querySelector("[data-asof]");
const hold = document.querySelector("[data-hold]");
let etag = "", wait = EVERY_MS, timer, held = false;

async function look() {
  clearTimeout(timer);
  if (held || document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { "x-relay-live": "1", ...(etag && { "if-none-match": etag }) }, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 200) { etag = answer.headers.get("etag") ?? ""; swap(await answer.text()); }
    else if (answer.status === 401) return tell("You are signed out. Reload to sign in.");
    else if (answer.status !== 304) throw new Error(`${answer.status}`);
    wait = EVERY_MS;
    tell("");
  } catch {
    wait = Math.min(wait * 2, MOST_MS);
    tell("The relay does not answer. What you see is old.");
  }
  timer = setTimeout(look, wait);
}

function swap(text) {
  const fresh = new DOMParser().parseFromString(policy.createHTML(text), "text/html");
  document.title = fresh.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const made = fresh.getElementById(old.id);
    if (!made || old.isEqualNode(made) || old.contains(document.activeElement?.closest("input, select, textarea"))) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    for (const each of old.querySelectorAll("details[open][id]")) made.querySelector(`#${CSS.escape(each.id)}`)?.setAttribute("open", "");
    old.replaceWith(document.adoptNode(made));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function tell(words) {
  if (asof) asof.textContent = words;
}

hold?.addEventListener("click", () => {
  held = !held;
  hold.setAttribute("aria-pressed", String(held));
  if (!held) look();
});
document.addEventListener("visibilitychange", look);
timer = setTimeout(look, EVERY_MS);
