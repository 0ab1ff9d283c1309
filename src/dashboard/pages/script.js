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
  // A link that is replaced while it is pressed is not clicked.
  return part.classList.contains("held") || typing || (marked && !marked.isCollapsed && part.contains(marked.anchorNode));
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
  let [source, opened, pause] = [null, false, 1000];
  const open = () => {
    source = new EventSource(path);
    source.addEventListener("open", () => {
      notice.remove();
      if (opened) catchUp();
      [opened, pause] = [true, 1000];
    });
    source.addEventListener("old", catchUp);
    source.addEventListener("error", () => {
      document.body.append(notice);
      // A browser gives up on an answer that is no stream, such as a proxy's while the engine restarts.
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(open, pause);
      pause = Math.min(2 * pause, 30000);
    });
  };
  open();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && old) catchUp();
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
}

// The picture in a graph, and how it is made larger and smaller: about the middle, or about a point in the box.
function lens(graph) {
  const svg = graph.querySelector("svg.bl");
  if (!svg) return null;
  const { width: whole, height: tall } = svg.viewBox.baseVal;
  const now = () => svg.getBoundingClientRect().width / whole;
  const zoom = (part, x = graph.clientWidth / 2, y = graph.clientHeight / 2) => {
    const before = now();
    const wanted = Math.min(4, Math.max(0.15, part));
    const [left, top] = [(graph.scrollLeft + x) / before, (graph.scrollTop + y) / before];
    svg.style.width = `${wanted * whole}px`;
    graph.scrollTo({ left: left * wanted - x, top: top * wanted - y, behavior: "instant" });
  };
  const room = () => [(graph.clientWidth - 16) / whole, (innerHeight * 0.72 - 16) / tall];
  return { svg, now, zoom, wide: () => room()[0], fit: () => zoom(Math.min(1, ...room())) };
}

// A graph fits the width of its box at first; buttons, keys, the wheel and two fingers make it larger and smaller.
function tools(graph, width) {
  const it = lens(graph);
  if (!it) return;
  it.svg.style.maxWidth = "none";
  if (width) it.svg.style.width = width;
  else {
    it.zoom(Math.min(1, Math.max(0.6, it.wide())), 0, 0);
    const start = it.svg.querySelector(".k-input .shape")?.getBoundingClientRect();
    const box = graph.getBoundingClientRect();
    if (start) graph.scrollLeft = start.left + start.width / 2 - box.left - box.width / 2;
  }
  const bar = document.createElement("div");
  bar.className = "zoom";
  const names = document.body.dataset.zoom.split("|");
  for (const [at, [text, act]] of [["−", () => it.zoom(it.now() / 1.25)], ["+", () => it.zoom(it.now() * 1.25)], ["⤢", it.fit]].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = names[at];
    button.setAttribute("aria-label", names[at]);
    button.addEventListener("click", act);
    bar.append(button);
  }
  graph.prepend(bar);
}

// Dragging moves a graph; a click on a node stays a click, and text can be marked. Once for each box: what is in it is
// put anew when something happens.
function hands(graph) {
  const fingers = new Map();
  let from = null;
  let apart = 0;
  const place = (event) => {
    const box = graph.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const gap = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  };
  graph.addEventListener("pointerdown", (event) => {
    graph.classList.add("held");
    if (event.button || event.target.closest("text, button")) return;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, place(event));
      apart = fingers.size === 2 ? gap() : 0;
    } else from = { x: event.clientX, y: event.clientY, left: graph.scrollLeft, top: graph.scrollTop, moved: false };
  });
  graph.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) {
      fingers.set(event.pointerId, place(event));
      if (fingers.size !== 2) return;
      const [[x, y], [X, Y]] = fingers.values();
      const it = lens(graph);
      it?.zoom(it.now() * gap() / apart, (x + X) / 2, (y + Y) / 2);
      apart = gap();
    } else if (from) {
      const [x, y] = [event.clientX - from.x, event.clientY - from.y];
      if (!from.moved && Math.hypot(x, y) < 5) return;
      if (!from.moved) {
        from.moved = true;
        graph.setPointerCapture(event.pointerId);
        graph.classList.add("dragged");
      }
      graph.scrollTo({ left: from.left - x, top: from.top - y, behavior: "instant" });
    }
  });
  const end = (event) => {
    setTimeout(() => graph.classList.remove("held"));
    fingers.delete(event.pointerId);
    if (from?.moved) setTimeout(() => graph.classList.remove("dragged"));
    from = null;
  };
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
  graph.addEventListener("dragstart", (event) => event.preventDefault());
  graph.addEventListener("click", (event) => {
    if (graph.classList.contains("dragged")) event.preventDefault();
  }, true);
  graph.addEventListener("wheel", (event) => {
    const it = lens(graph);
    if (!it || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    it.zoom(it.now() * Math.exp(-event.deltaY / 300), ...place(event));
  }, { passive: false });
  graph.addEventListener("keydown", (event) => {
    const it = lens(graph);
    if (!it || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button")) return;
    const step = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] }[event.key];
    const act = { "+": () => it.zoom(it.now() * 1.25), "=": () => it.zoom(it.now() * 1.25), "-": () => it.zoom(it.now() / 1.25), 0: it.fit }[event.key];
    if (!step && !act) return;
    event.preventDefault();
    if (step) graph.scrollBy({ left: step[0], top: step[1], behavior: "instant" });
    else act();
  });
}

localise(document);
setInterval(() => document.hidden || localise(document), 15000);
for (const box of document.querySelectorAll("[data-turns-off]")) {
  turn(box);
  box.addEventListener("change", () => turn(box));
}
for (const part of document.querySelectorAll(".graph")) {
  tools(part);
  hands(part);
}
// A link to something that is folded away opens it.
const unfold = () => {
  const it = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (it && it.matches("details")) it.open = true;
};
unfold();
addEventListener("hashchange", unfold);
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
