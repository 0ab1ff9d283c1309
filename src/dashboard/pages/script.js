// Keeps a page fresh and its times in the reader's zone. Without it every page still reads and every form still works.

const language = document.documentElement.lang;
const times = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const near = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

function ago(at) {
  const seconds = (at - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 60) return near.format(Math.round(seconds), "second");
  if (size < 3600) return near.format(Math.round(seconds / 60), "minute");
  if (size < 86400) return near.format(Math.round(seconds / 3600), "hour");
  return near.format(Math.round(seconds / 86400), "day");
}

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const far = Math.abs(at - Date.now()) > 7 * 86400e3;
    time.textContent = far ? times.format(at) : ago(at);
    time.title = times.format(at) + " (" + time.dateTime + ")";
  }
}

// A box that is ticked turns another field off.
function turn(box) {
  const other = document.getElementById(box.dataset.turnsOff);
  if (other) other.disabled = box.checked;
}

// A part that somebody is working in is left alone.
function busy(part) {
  const active = document.activeElement;
  const typing = active && part.contains(active) && active.matches("input, select, textarea");
  const marked = getSelection();
  return typing || (marked && !marked.isCollapsed && part.contains(marked.anchorNode));
}

function put(part, fresh) {
  const { scrollLeft, scrollTop } = part;
  const width = part.querySelector("svg.bl")?.style.width;
  const open = [...part.querySelectorAll("details[id][open]")].map((it) => it.id);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceChildren(...fresh.childNodes);
  localise(part);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (part.classList.contains("graph")) tools(part, width);
  part.scrollTo(scrollLeft, scrollTop);
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const before = new Map();

async function freshen() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (new URL(answer.url).pathname === "/dashboard/login") return location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || before.get(part.id) === fresh.innerHTML || busy(part)) continue;
    before.set(part.id, fresh.innerHTML);
    put(part, fresh);
  }
}

function listen(path) {
  const notice = document.createElement("p");
  notice.className = "lost";
  notice.setAttribute("role", "status");
  notice.textContent = document.body.dataset.lost;
  let old = false;
  let underway = false;
  const catchUp = async () => {
    if (document.hidden || underway) return void (old = true);
    [old, underway] = [false, true];
    await freshen().catch(() => {});
    underway = false;
    if (old) setTimeout(catchUp, 1000);
  };
  const source = new EventSource(path);
  let opened = false;
  source.addEventListener("open", () => {
    notice.remove();
    if (opened) catchUp();
    opened = true;
  });
  source.addEventListener("old", catchUp);
  source.addEventListener("error", () => document.body.append(notice));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && old) catchUp();
  });
  addEventListener("pagehide", () => source.close());
}

// A graph fits its box at first; buttons make it larger and smaller.
function tools(graph, width) {
  const svg = graph.querySelector("svg.bl");
  if (!svg) return;
  const whole = svg.viewBox.baseVal.width;
  const zoom = (part) => (svg.style.width = `${Math.min(4, Math.max(0.15, part)) * whole}px`);
  const now = () => svg.getBoundingClientRect().width / whole;
  const fit = () => zoom(Math.min(1, (graph.clientWidth - 16) / whole));
  svg.style.maxWidth = "none";
  if (width) svg.style.width = width;
  else zoom(Math.min(1, Math.max(0.6, (graph.clientWidth - 16) / whole)));
  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [text, name, act] of [["−", "−", () => zoom(now() / 1.25)], ["+", "+", () => zoom(now() * 1.25)], ["⤢", "1:1 / fit", fit]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", act);
    bar.append(button);
  }
  graph.prepend(bar);
}

localise(document);
setInterval(() => document.hidden || localise(document), 15000);
for (const box of document.querySelectorAll("[data-turns-off]")) {
  turn(box);
  box.addEventListener("change", () => turn(box));
}
for (const part of document.querySelectorAll(".graph")) tools(part);
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  }));
}
// Another language shows the same page.
for (const here of document.querySelectorAll("[data-here]")) here.value = location.pathname + location.search;
// Back from the cache of the browser, buttons work again.
addEventListener("pageshow", (event) => event.persisted && location.reload());
document.querySelector(".field.bad input, .field.bad textarea")?.focus();
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, select, textarea");
  const find = document.getElementById("q");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && find) {
    event.preventDefault();
    find.focus();
  }
});
if (document.body.dataset.live) listen(document.body.dataset.live);
