// What is wrong with this page for somebody who cannot see it well, or at all. Returns a list of sentences.
const wrong = [];
const shown = (it) => {
  const style = getComputedStyle(it);
  const box = it.getBoundingClientRect();
  return style.visibility !== "hidden" && style.display !== "none" && box.width > 1 && box.height > 1;
};
const which = (it) => it.outerHTML.replace(/\s+/g, " ").slice(0, 120);

// Names.
const text = (id) => document.getElementById(id)?.textContent.trim() ?? "";
const named = (it) => {
  const by = it.getAttribute("aria-labelledby");
  if (by) return by.split(/\s+/).map(text).join(" ").trim();
  if (it.getAttribute("aria-label")) return it.getAttribute("aria-label").trim();
  if (it.labels?.length) return [...it.labels].map((label) => label.textContent.trim()).join(" ");
  if (it.matches("input, select, textarea")) return "";
  const images = [...it.querySelectorAll("img[alt], title")].map((image) => image.alt ?? image.textContent);
  return (it.textContent + images.join(" ")).trim();
};
for (const it of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [role=region]"))
  if (!named(it)) wrong.push(`has no name: ${which(it)}`);
for (const it of document.querySelectorAll("img:not([alt])")) wrong.push(`has no alt: ${which(it)}`);
for (const it of document.querySelectorAll("img")) if (it.complete && !it.naturalWidth) wrong.push(`shows nothing: ${which(it)}`);
for (const it of document.querySelectorAll("[aria-labelledby], label[for]")) {
  const ids = (it.getAttribute("aria-labelledby") ?? it.getAttribute("for")).split(/\s+/);
  for (const id of ids) if (!document.getElementById(id)) wrong.push(`leads to no element \`${id}\`: ${which(it)}`);
}

// The order of things.
const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push(`the id \`${id}\` is there twice`);
if (!document.documentElement.lang) wrong.push("the page has no language");
if (!document.title) wrong.push("the page has no title");
if (document.querySelectorAll("h1").length !== 1) wrong.push(`there are ${document.querySelectorAll("h1").length} h1`);
if (document.querySelectorAll("main").length !== 1) wrong.push("there is not one main");
let level = 0;
for (const it of document.querySelectorAll("h1, h2, h3, h4")) {
  const now = Number(it.tagName[1]);
  if (now > level + 1) wrong.push(`the heading skips a level: ${which(it)}`);
  level = now;
}
for (const it of document.querySelectorAll("[tabindex]"))
  if (it.tabIndex > 0) wrong.push(`comes before its turn: ${which(it)}`);

// Contrast, as WCAG 2.2 measures it: 4.5 to 1, and 3 to 1 for large text.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const behind = (it) => {
  const layers = [];
  for (let at = it; at; at = at.parentElement) {
    const color = rgba(getComputedStyle(at).backgroundColor);
    if (color[3] > 0) layers.push(color);
    if (color[3] === 1) break;
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return layers.reduceRight((below, layer) => over(layer, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
};
const light = ([r, g, b]) => {
  const part = (it) => ((it /= 255) <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const it = node.parentElement;
  if (!node.data.trim() || seen.has(it) || it.closest("svg, script, style, .hidden, .under, :disabled") || !shown(it)) continue;
  seen.add(it);
  const style = getComputedStyle(it);
  const ground = behind(it);
  const [high, low] = [light(over(rgba(style.color), ground)), light(ground)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) wrong.push(`is hard to read (${ratio.toFixed(2)} to 1): ${which(it)}`);
}

// Titles stay whole, within their boxes.
for (const node of document.querySelectorAll("svg.bl .node")) {
  const box = node.querySelector(".shape").getBBox();
  for (const it of node.querySelectorAll("text")) {
    const { x, width } = it.getBBox();
    if (x < box.x - 1 || x + width > box.x + box.width + 1) wrong.push(`leaves its box: ${which(node)}`);
  }
}

// What a finger must hit, and what does not fit.
for (const it of document.querySelectorAll("button, summary, select, input:not([type=hidden])")) {
  const box = it.getBoundingClientRect();
  if (shown(it) && it.type !== "checkbox" && Math.min(box.width, box.height) < 24) wrong.push(`is too small to hit: ${which(it)}`);
}
if (document.documentElement.scrollWidth > innerWidth + 1)
  wrong.push(`the page is ${document.documentElement.scrollWidth} wide, and the screen ${innerWidth}`);
return wrong;
