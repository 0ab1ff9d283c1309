// Every form of the page, with what it is known by: its address, the names of what can be filled in, and the
// names of the buttons that say something. What asks by itself, as the editor does, is one as well. Links, too,
// and in pictures: there they are no texts but for the attribute.
const said = (form) => (form.closest("tr, article") ?? form.closest("section, form") ?? form).textContent;
const forms = [...document.forms].map((form, at) => {
  const parts = [...form.elements].filter((it) => it.name && it.type !== "hidden");
  const hidden = [...form.elements].filter((it) => it.name && it.type === "hidden");
  return {
    at,
    method: form.method.toUpperCase(),
    action: new URL(form.action).pathname,
    names: parts.map((it) => it.name),
    hidden: Object.fromEntries(hidden.map((it) => [it.name, it.value])),
    said: said(form),
  };
});
for (const it of document.querySelectorAll("[data-check]")) {
  forms.push({ at: -1, method: "POST", action: it.dataset.check, names: [], hidden: {}, said: "" });
}
const links = [...document.querySelectorAll("a[href]")]
  .map((it) => new URL(it.getAttribute("href"), location))
  .filter((it) => it.origin === location.origin && it.pathname.startsWith("/dashboard"))
  .map((it) => it.pathname + it.search);
const entry = performance.getEntriesByType("navigation")[0];
return { forms, links, status: entry.responseStatus, path: location.pathname, text: document.body.innerText };
