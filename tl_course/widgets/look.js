// Small helpers that the page of every widget begins with: its own file is put behind this one.

/** An element with properties, attributes (those with a dash, and role) and children. */
function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "for" || key === "list") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children);
  return node;
}

function button(text, onclick, properties = {}) {
  return h("button", { type: "button", textContent: text, onclick, ...properties });
}

const many = (n, noun = "picture") => `${n} ${noun}${n === 1 ? "" : "s"}`;

function set(node, key, value) {
  if (node[key] !== value) node[key] = value;
}

/** Give a select these options ([value, text], …) without closing it where nothing changed. */
function setOptions(select, options) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options === wanted) return;
  select.dataset.options = wanted;
  select.replaceChildren(...options.map(([value, text]) => h("option", { value, textContent: text })));
}

/** Put the root into the page and call each handler whenever its event comes, until what is returned is called. */
function mount({ model, el }, root, handlers, end) {
  for (const [what, handler] of Object.entries(handlers)) model.on(what, handler);
  el.append(root);
  return () => {
    for (const [what, handler] of Object.entries(handlers)) model.off(what, handler);
    end();
  };
}
