
// The editor: a text area over a text that looks the same, in which what is wrong is underlined.

function editor(box) {
  const [numbers, under, area] = ["numbers", "under", "mono"].map((name) => box.querySelector(`.${name}`));
  const problems = document.getElementById("problems");
  const key = `beltline-draft-${box.dataset.draft}`;
  const deployed = area.defaultValue;
  let wrong = [...problems.querySelectorAll("li")].map((it) => ({
    line: +it.dataset.line, column: +it.dataset.column, end_line: +it.dataset.endLine, end_column: +it.dataset.endColumn,
  }));

  const at = (starts, text, line, column) => {
    const begin = starts[Math.min(line, starts.length) - 1] ?? text.length;
    return begin + [...text.slice(begin).split("\n", 1)[0]].slice(0, column - 1).join("").length;
  };
  const draw = () => {
    const text = area.value;
    const starts = [0];
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
    const lines = new Set(wrong.map((it) => it.line));
    numbers.replaceChildren(...starts.map((_, index) => {
      const number = document.createElement(lines.has(index + 1) ? "b" : "span");
      number.textContent = `${index + 1}\n`;
      return number;
    }));
    const parts = [];
    let from = 0;
    for (const it of wrong) {
      const start = at(starts, text, it.line, it.column);
      const end = Math.max(start + 1, at(starts, text, it.end_line, it.end_column));
      if (start < from) continue;
      const mark = document.createElement("mark");
      mark.textContent = text.slice(start, Math.min(end, text.indexOf("\n", start) < 0 ? end : Math.max(start + 1, text.indexOf("\n", start))));
      parts.push(text.slice(from, start), mark);
      from = start + mark.textContent.length;
    }
    under.replaceChildren(...parts, text.slice(from), "\n");
    area.style.height = `${starts.length * 1.5 + 2}em`;
  };
  const tell = () => {
    const list = document.createElement("ul");
    for (const it of wrong) {
      const item = document.createElement("li");
      item.className = "badtext";
      const go = document.createElement("button");
      go.type = "button";
      go.className = "plain";
      go.textContent = `${box.dataset.line} ${it.line}`;
      go.addEventListener("click", () => {
        const start = area.value.split("\n").slice(0, it.line - 1).join("\n").length + (it.line > 1 ? 1 : 0) + it.column - 1;
        area.focus();
        area.setSelectionRange(start, start);
      });
      item.append(go, ` ${it.message} `);
      if (it.hint) {
        const hint = document.createElement("span");
        hint.className = "hint";
        hint.textContent = it.hint;
        item.append(hint);
      }
      list.append(item);
    }
    const fine = document.createElement("p");
    fine.className = "dim";
    fine.textContent = box.dataset.fine;
    problems.replaceChildren(wrong.length ? list : fine);
  };
  let asked = 0;
  const check = async () => {
    const mine = ++asked;
    const answer = await fetch(box.dataset.check, { method: "POST", body: new URLSearchParams({ text: area.value }) });
    if (!answer.ok || mine !== asked) return;
    const said = await answer.json();
    wrong = said.problems;
    draw();
    tell();
    const graph = document.getElementById("graph");
    if (!said.picture) return;
    const width = graph.querySelector("svg.bl")?.style.width;
    graph.innerHTML = said.picture;
    tools(graph, width);
  };
  let later;
  area.addEventListener("input", () => {
    if (area.value === deployed) localStorage.removeItem(key);
    else localStorage.setItem(key, area.value);
    draw();
    clearTimeout(later);
    later = setTimeout(() => check().catch(() => {}), 300);
  });
  // Tab indents; Escape first lets it leave the field again.
  let leaves = false;
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leaves = true;
    else if (event.key === "Tab" && !event.shiftKey && !leaves) {
      event.preventDefault();
      area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    } else leaves = false;
  });
  const draft = localStorage.getItem(key);
  const restored = document.getElementById("restored");
  if (draft !== null && draft !== area.value && !document.querySelector("#notices [role=alert], .editing fieldset")) {
    area.value = draft;
    restored.hidden = false;
    check().catch(() => {});
  }
  document.getElementById("discard").addEventListener("click", () => {
    localStorage.removeItem(key);
    area.value = deployed;
    restored.hidden = true;
    check().catch(() => {});
  });
  draw();
}

for (const box of document.querySelectorAll(".editor")) editor(box);
// What is deployed needs no draft any more.
if (new URLSearchParams(location.search).get("said") === "deployed")
  localStorage.removeItem(`beltline-draft-${location.pathname.split("/").pop()}`);
