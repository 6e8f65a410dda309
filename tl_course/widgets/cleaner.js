// The page of the cleaner. It shows `_state` and asks the kernel for whatever a click or a key means. Only the focus and
// the selection live here first, so that quick typing never has to wait.

const KEYS = [
  ["← → ↑ ↓ Home End", "move"],
  ["1 – 9", "give this label; the one it has already keeps it"],
  ["d or Delete", "drop"],
  ["k or Enter", "keep: it is right as it is"],
  ["r", "restore a dropped picture"],
  ["u", "undo, in earlier sessions too"],
  ["Shift + U", "redo"],
  ["x or Space", "select, or no longer"],
  ["Shift + click", "select all up to here"],
  ["a", "select all on this page"],
  ["Escape", "select none"],
  ["Page Up, Page Down", "turn the page"],
  ["?", "show or hide these keys"],
];
const SAID = { undecided: "", relabelled: "relabelled", dropped: "dropped", kept: "kept" };
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;

function render({ model, el }) {
  const state = () => model.get("_state");
  const urls = { thumbnails: new Map(), view: new Map() }; // object URLs by picture
  const asked = { thumbnails: new Set(), view: new Set() };
  const idBase = `tlc-${Math.random().toString(36).slice(2, 8)}`;
  let current = ""; // the picture in focus
  let anchor = ""; // where a range that is selected begins
  let selected = new Set();
  const decided = new Set(); // asked for, and not yet answered
  let looking = null; // the picture that the kernel has not been told of yet
  let lookTimer = 0;

  function tellLook() {
    clearTimeout(lookTimer);
    if (!looking) return;
    model.send({ do: "look", picture: looking });
    fetchPictures("view", [looking]);
    looking = null;
  }
  function ask(what) {
    tellLook(); // in the order in which things happened
    model.send(what);
  }

  // ---- the frame ----------------------------------------------------------------------------------------------------

  const title = h("span", { className: "tlb-title" });
  const undo = button("Undo", () => back("undo"), { title: "Take the last step back (u)" });
  const redo = button("Redo", () => back("redo"), { title: "Do it again (Shift + U)" });
  const rerank = button("Re-rank", () => ask({ do: "retrain" }), { title: "Rank all pictures anew, from page 1" });
  const report = button("Report", () => toggle(report), { "aria-expanded": "false", "aria-controls": `${idBase}-report` });
  const help = button("Keys ?", () => toggle(help), { "aria-expanded": "false", "aria-controls": `${idBase}-keys` });
  const tally = h("p", { className: "tlc-tally" });
  const bar = h("span", { className: "tlb-bar", "aria-hidden": "true" });
  const accuracy = h("p", { className: "tlc-accuracy" });
  const filters = {};
  for (const [key, text] of Object.entries({ state: "Show", label: "Label", split: "Split", kind: "Suspicion" })) {
    filters[key] = h("select", { id: `${idBase}-${key}`, onchange: () => ask({ do: "filter", [key]: filters[key].value }) });
    filters[key].labelled = h(
      "label", { className: "tlb-field", for: filters[key].id }, h("span", { textContent: text }), filters[key]
    );
  }
  const all = button("Select page", () => selectAll(), { title: "Select all on this page (a)" });
  const none = button("None", () => selectNone(), { title: "Select none (Escape)" });
  const chosen = h("span", { className: "tlb-muted" });
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const panels = {
    keys: h(
      "section", { id: `${idBase}-keys`, className: "tlc-panel", hidden: true, "aria-label": "Keys" },
      h("dl", {}, ...KEYS.map(([key, text]) => h("div", {}, h("dt", { textContent: key }), h("dd", { textContent: text })))),
    ),
    report: h("section", { id: `${idBase}-report`, className: "tlc-panel", hidden: true, "aria-label": "Report" }),
  };
  function toggle(opener) {
    const name = opener === help ? "keys" : "report";
    panels[name].hidden = !panels[name].hidden;
    opener.setAttribute("aria-expanded", String(!panels[name].hidden));
    if (opener === report && !panels[name].hidden) ask({ do: "report" });
  }

  const grid = h("div", {
    className: "tlc-grid", role: "listbox", "aria-multiselectable": "true", "aria-orientation": "horizontal",
    "aria-label": "Pictures, most suspicious first",
  });
  const empty = h("p", { className: "tlb-muted tlc-empty", textContent: "No picture passes these filters." });
  const before = button("‹ Back", () => turn(-1), { title: "The page before (Page Up)" });
  const pageText = h("span", { className: "tlb-muted" });
  const after = button("Next page ›", () => turn(1), { title: "The next page (Page Down)" });
  const hint = h("p", {
    className: "tlb-muted tlc-hint",
    textContent: "This page keeps its order while you decide. What follows is ranked anew when you turn to it; Re-rank starts over from page 1.",
  });

  // ---- the picture in focus

  const view = h("img", { className: "tlc-view", alt: "" });
  const name = h("p", { className: "tlc-name" });
  const given = h("p", {});
  const reason = h("p", { className: "tlc-why" });
  const doing = h("p", { className: "tlb-muted tlc-for" });
  const digits = h("div", { className: "tlb-tools" });
  const further = h("select", { "aria-label": "Give another label" });
  further.onchange = () => {
    if (further.value) act("relabel", { label: further.value });
    further.value = "";
  };
  const keep = button("Keep", () => act("keep"), { title: "It is right as it is (k or Enter)" });
  const drop = button("Drop", () => act("drop"), { title: "Take it out of the set (d or Delete)", className: "tlc-drop" });
  const restore = button("Restore", () => act("restore"), { title: "Bring a dropped picture back (r)" });
  const select = button("Select", () => toggleSelected(current), { title: "Select, to decide on several at once (x or Space)" });
  const tools = h(
    "div", { role: "group", "aria-label": "Decide", className: "tlc-decide" },
    doing, digits, h("div", { className: "tlb-tools" }, keep, drop, restore, select),
  );
  const neighbours = h("ul", { className: "tlc-neighbours" });
  const nearText = h("p", { className: "tlb-muted", textContent: "Its nearest neighbours, and what they are called" });
  const detail = h(
    "section", { className: "tlc-detail", "aria-label": "The picture in focus" },
    h("div", { className: "tlc-shown" }, view, h("div", {}, given, reason, name)), tools, nearText, neighbours,
  );

  const root = h(
    "div",
    // Keys without Ctrl, Alt or Cmd stay in here: in JupyterLab "x" would cut the cell, and "d", "d" delete it.
    { className: "tlb tlc", tabIndex: -1, role: "region", "aria-label": "Cleaner", onkeydown: keydown },
    h("div", { className: "tlb-head" }, title, h("span", { className: "tlb-acts" }, undo, redo, rerank, report, help)),
    h("div", { className: "tlc-numbers" }, tally, bar, accuracy),
    panels.keys,
    panels.report,
    h("div", { className: "tlb-row tlc-filters" }, ...Object.values(filters).map((one) => one.labelled)),
    h("div", { className: "tlb-said" }, polite, alarm),
    h(
      "div", { className: "tlc-main" },
      h(
        "div", { className: "tlc-left" },
        h("div", { className: "tlb-row" }, all, none, chosen),
        empty,
        grid,
        h("div", { className: "tlb-row tlc-pager" }, before, pageText, after),
        hint,
      ),
      detail,
    ),
  );

  // ---- focus and selection ------------------------------------------------------------------------------------------

  const active = () => el.getRootNode().activeElement ?? document.activeElement;
  const cards = () => [...grid.children];
  const names = () => state().pictures.map((one) => one.name);
  const cardOf = (picture) => cards().find((one) => one.dataset.name === picture);

  function look(picture, focus = true) {
    if (!picture) return;
    current = picture;
    mark();
    if (focus) cardOf(picture)?.focus();
    showDetail();
    looking = picture;
    clearTimeout(lookTimer);
    lookTimer = setTimeout(tellLook, 60); // held down, an arrow key passes many
  }
  function choose(pictures) {
    selected = new Set(pictures);
    ask({ do: "select", picture: [...selected] });
    mark();
    showDetail();
  }
  function toggleSelected(picture) {
    anchor = picture;
    choose(selected.has(picture) ? [...selected].filter((one) => one !== picture) : [...selected, picture]);
  }
  const selectAll = () => choose(names());
  const selectNone = () => choose([]);
  function mark() {
    for (const card of cards()) {
      card.setAttribute("aria-selected", String(selected.has(card.dataset.name)));
      card.classList.toggle("tlc-current", card.dataset.name === current);
      card.tabIndex = card.dataset.name === current ? 0 : -1;
    }
    none.hidden = chosen.hidden = selected.size === 0;
    set(chosen, "textContent", `${selected.size} selected`);
  }

  // ---- deciding -----------------------------------------------------------------------------------------------------

  function act(verb, what = {}) {
    const shown = names();
    const targets = selected.size ? shown.filter((one) => selected.has(one)) : current ? [current] : [];
    if (!targets.length) return;
    ask({ do: verb, picture: targets, ...what });
    selected.clear();
    mark();
    if (verb === "restore") return;
    for (const one of targets) decided.add(one);
    const at = shown.indexOf(targets.at(-1));
    const open = new Set(state().pictures.filter((one) => one.state === "undecided").map((one) => one.name));
    const next = [...shown.slice(at + 1), ...shown.slice(0, at)].find((one) => open.has(one) && !decided.has(one));
    look(next ?? targets.at(-1), grid.contains(active()));
  }
  function back(verb) {
    decided.clear();
    ask({ do: verb });
  }
  function turn(by) {
    const number = state().page + by;
    if (number < 1 || number > state().pages) return;
    selected.clear();
    ask({ do: "page", number });
  }

  function keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    const inGrid = grid.contains(event.target);
    if (event.target.closest("select, input, textarea")) return;
    const shown = names();
    const at = shown.indexOf(current);
    const tops = cards().map((one) => one.offsetTop);
    const columns = tops.filter((one) => one === tops[0]).length;
    const to = (place) => look(shown[Math.max(0, Math.min(shown.length - 1, place))]);
    const everywhere = {
      d: () => act("drop"),
      Delete: () => act("drop"),
      k: () => act("keep"),
      r: () => act("restore"),
      u: () => back("undo"),
      U: () => back("redo"),
      x: () => toggleSelected(current),
      a: selectAll,
      Escape: selectNone,
      PageUp: () => turn(-1),
      PageDown: () => turn(1),
      "?": () => toggle(help),
    };
    const moving = {
      ArrowRight: () => to(at + 1),
      ArrowLeft: () => to(at - 1),
      ArrowDown: () => at + columns < shown.length && to(at + columns),
      ArrowUp: () => at - columns >= 0 && to(at - columns),
      Home: () => to(0),
      End: () => to(shown.length - 1),
      Enter: () => act("keep"),
      " ": () => toggleSelected(current),
    };
    const label = /^[1-9]$/.test(event.key) && state().labels[Number(event.key) - 1];
    const does = everywhere[event.key] || (inGrid && moving[event.key]) || (label && (() => act("relabel", { label })));
    if (!does) return;
    event.preventDefault();
    does();
  }
  grid.onmousedown = (event) => event.shiftKey && event.preventDefault(); // or it would mark text
  grid.onclick = (event) => {
    const card = event.target.closest("[role=option]");
    if (!card) return;
    const picture = card.dataset.name;
    if (event.shiftKey) {
      const shown = names();
      const [from, till] = [shown.indexOf(anchor || current), shown.indexOf(picture)].sort((a, b) => a - b);
      choose([...selected, ...shown.slice(Math.max(0, from), till + 1)]);
    } else if (event.ctrlKey || event.metaKey || event.target.closest(".tlc-tick")) toggleSelected(picture);
    else anchor = picture;
    look(picture);
  };
  grid.addEventListener("focusin", (event) => {
    const picture = event.target.closest("[role=option]")?.dataset.name;
    if (picture && picture !== current) look(picture, false);
  });

  // ---- from the state -----------------------------------------------------------------------------------------------

  const predicted = (one) => (one.predicted ? `predicted ${one.predicted}, ${percent(one.confidence)}` : "");
  const called = (one) => (one.was === one.label ? one.label : `${one.was} → ${one.label}`);

  function makeCard(picture) {
    const img = h("img", { alt: "", draggable: false });
    const frame = h(
      "span", { className: "tlc-frame" },
      img,
      h("span", { className: "tlc-tick" }),
      h("span", { className: "tlc-split", textContent: "validation" }),
      h("span", { className: "tlc-state" }),
    );
    const card = h(
      "div", { className: "tlc-card", role: "option" },
      frame, h("b", { className: "tlc-given" }), h("span", { className: "tlc-predicted" }), h("span", { className: "tlc-reason" }),
    );
    card.dataset.name = picture;
    return card;
  }
  function showCard(card, one) {
    const part = (key) => card.querySelector(`.tlc-${key}`);
    const url = urls.thumbnails.get(one.name);
    if (url) set(card.querySelector("img"), "src", url);
    card.dataset.state = one.state;
    part("split").hidden = one.split !== "valid";
    part("state").hidden = one.state === "undecided";
    set(part("state"), "textContent", SAID[one.state]);
    set(part("given"), "textContent", called(one));
    set(part("predicted"), "textContent", one.predicted && `seems ${one.predicted}, ${percent(one.confidence)}`);
    part("predicted").classList.toggle("tlc-other", one.predicted !== one.label);
    set(part("reason"), "textContent", one.reason || "nothing speaks against it");
    card.title = `${one.name}\n${one.reason}`;
    const split = one.split === "valid" ? "validation picture" : "";
    const aloud = [called(one), split, SAID[one.state], predicted(one), one.reason, one.name];
    card.setAttribute("aria-label", aloud.filter(Boolean).join("; "));
  }
  function showGrid(focus) {
    const there = new Map(cards().map((one) => [one.dataset.name, one]));
    const wanted = state().pictures.map((one) => {
      const card = there.get(one.name) ?? makeCard(one.name);
      there.delete(one.name);
      showCard(card, one);
      return card;
    });
    for (const card of there.values()) card.remove();
    wanted.forEach((card, at) => grid.children[at] !== card && grid.insertBefore(card, grid.children[at] ?? null));
    grid.hidden = !wanted.length;
    empty.hidden = wanted.length > 0;
    mark();
    if (focus && active() !== cardOf(current)) cardOf(current)?.focus();
  }

  function showDetail() {
    const one = state().pictures.find((each) => each.name === current);
    detail.hidden = !one;
    if (!one) return;
    const url = urls.view.get(one.name) ?? urls.thumbnails.get(one.name);
    if (url) set(view, "src", url);
    view.hidden = !url;
    set(view, "alt", `${one.name}, called ${one.label}`);
    const badge = one.split === "valid" ? [h("span", { className: "tlc-split", textContent: "validation" })] : [];
    const what = SAID[one.state] ? [h("span", { className: "tlc-badge", textContent: SAID[one.state] })] : [];
    given.replaceChildren(
      h("b", { textContent: called(one) }),
      h("span", { textContent: predicted(one) && ` · ${predicted(one)}` }),
      ...badge,
      ...what,
    );
    set(name, "textContent", one.name);
    set(reason, "textContent", one.reason ? one.reason[0].toUpperCase() + one.reason.slice(1) + "." : "Nothing speaks against it.");
    const several = selected.size > 0;
    set(doing, "textContent", several ? `For the ${selected.size} selected:` : "");
    doing.hidden = !several;
    const labels = JSON.stringify(state().labels);
    if (digits.dataset.labels !== labels) {
      digits.dataset.labels = labels;
      const rest = state().labels.slice(9);
      setOptions(further, [["", "Other label …"], ...rest.map((label) => [label, label])]);
      further.hidden = !rest.length;
      digits.replaceChildren(
        ...state().labels.slice(0, 9).map((label, at) => {
          const node = button("", () => act("relabel", { label }), { title: `It is ${label} (key ${at + 1})` });
          node.append(h("kbd", { className: "tlb-digit", textContent: String(at + 1) }), ` ${label}`);
          return node;
        }),
        further,
      );
    }
    [...digits.querySelectorAll("button")].forEach((node, at) =>
      node.setAttribute("aria-pressed", String(!several && state().labels[at] === one.label)),
    );
    const gone = selected.size ? state().pictures.some((each) => selected.has(each.name) && each.state === "dropped") : one.state === "dropped";
    restore.disabled = !gone;
    set(select, "textContent", selected.has(current) ? "Unselect" : "Select");
    nearText.hidden = !one.neighbours.length;
    const near = JSON.stringify(one.neighbours);
    if (neighbours.dataset.shown !== near) {
      neighbours.dataset.shown = near;
      neighbours.replaceChildren(
        ...one.neighbours.map(([picture, label]) => {
          const node = h("li", { title: picture }, h("img", { alt: "" }), h("span", { textContent: label }));
          node.dataset.name = picture;
          node.classList.toggle("tlc-other", label !== one.label);
          return node;
        }),
      );
    }
    for (const node of neighbours.children) {
      const small = urls.thumbnails.get(node.dataset.name);
      if (small) set(node.firstChild, "src", small);
    }
    fetchPictures("thumbnails", one.neighbours.map(([picture]) => picture));
  }

  function fetchPictures(what, pictures) {
    const missing = pictures.filter((one) => !urls[what].has(one) && !asked[what].has(one));
    if (!missing.length) return;
    missing.forEach((one) => asked[what].add(one));
    model.send({ do: what, names: missing });
  }
  function forget(what, most, shown) {
    if (urls[what].size <= most) return;
    for (const [picture, url] of urls[what]) {
      if (shown.has(picture)) continue;
      URL.revokeObjectURL(url);
      urls[what].delete(picture);
      asked[what].delete(picture);
    }
  }

  function showNumbers() {
    const { tally: counts, accuracy: share } = state();
    const parts = [`${counts.looked_at} looked at`, `${counts.relabelled} relabelled`, `${counts.dropped} dropped`];
    parts.push(`${counts.kept} kept`, `${counts.left} left, ${counts.suspicious} of them suspicious`);
    tally.replaceChildren(...parts.flatMap((text, at) => [at ? " · " : "", h("span", { textContent: text })]));
    const total = Math.max(1, counts.looked_at + counts.left);
    bar.replaceChildren(
      ...["relabelled", "dropped", "kept"].map((what) => {
        const piece = h("span", { className: `tlc-${what}` });
        piece.style.width = `${(100 * counts[what]) / total}%`;
        return piece;
      }),
    );
    const measured = share.before !== null && share.now !== null;
    const moved = measured ? Math.round(share.pictures * (share.now - share.before)) : 0;
    accuracy.replaceChildren(
      ...(measured
        ? [
            "Validation accuracy ",
            h("span", { className: "tlb-muted", textContent: percent(share.before, 1) }),
            " → ",
            h("b", { className: moved > 0 ? "tlc-up" : moved < 0 ? "tlc-down" : "", textContent: percent(share.now, 1) }),
            h("span", { className: "tlb-muted", textContent: ` of ${many(share.pictures)}, by their labels before any edit` }),
          ]
        : ["Too few pictures to measure an accuracy on a validation split."]),
      ...(share.cross_validated === null ? [] : [` · cross-validated ${percent(share.cross_validated, 1)}`]),
    );
  }

  let heardMoved = -1;
  let heardChosen = -1;
  let heardSaid = -1;
  function show() {
    const now = state();
    const focused = grid.contains(active());
    if (now.chosen !== heardChosen) selected = new Set(now.selected);
    heardChosen = now.chosen;
    if (now.moved !== heardMoved || !names().includes(current)) {
      current = now.focus;
      looking = null;
      anchor = "";
      fetchPictures("view", current ? [current] : []);
    }
    heardMoved = now.moved;
    for (const one of now.pictures) if (one.state !== "undecided") decided.delete(one.name);
    if (now.alert) decided.clear();
    selected = new Set([...selected].filter((one) => names().includes(one)));

    set(title, "textContent", now.title);
    undo.disabled = !now.undo;
    redo.disabled = !now.redo;
    showNumbers();
    setOptions(filters.state, [...now.states, "all"].map((one) => [one, one]));
    setOptions(filters.label, ["all", ...now.labels].map((one) => [one, one]));
    setOptions(filters.split, ["all", ...now.splits].map((one) => [one, { valid: "validation", train: "training" }[one] ?? one]));
    setOptions(filters.kind, ["all", ...now.kinds].map((one) => [one, one]));
    for (const [key, node] of Object.entries(filters)) set(node, "value", now.filter[key]);
    all.disabled = !now.count;
    showGrid(focused);
    set(pageText, "textContent", `page ${now.page} of ${now.pages}, ${many(now.count)}`);
    before.disabled = now.page <= 1;
    after.disabled = now.page >= now.pages;
    showDetail();
    if (now.said !== heardSaid) {
      set(polite, "textContent", now.alert ? "" : now.status);
      set(alarm, "textContent", now.alert ? now.status : "");
      if (!panels.report.hidden && heardSaid >= 0) model.send({ do: "report" });
    }
    heardSaid = now.said;

    fetchPictures("thumbnails", names());
    const near = now.pictures.flatMap((one) => one.neighbours.map(([picture]) => picture));
    forget("thumbnails", 600, new Set([...names(), ...near]));
    forget("view", 40, new Set([current]));
  }

  function heard(message, buffers) {
    for (const what of ["thumbnails", "view"]) {
      if (!message[what]) continue;
      message[what].forEach((picture, at) => {
        urls[what].set(picture, URL.createObjectURL(new Blob([buffers[at]], { type: "image/jpeg" })));
        if (what === "thumbnails") cardOf(picture)?.querySelector("img").setAttribute("src", urls[what].get(picture));
      });
      showDetail();
    }
    if (message.report !== undefined) panels.report.innerHTML = message.report; // made, and escaped, by the kernel
  }

  show();
  return mount({ model, el }, root, { "change:_state": show, "msg:custom": heard }, () => {
    clearTimeout(lookTimer);
    for (const kept of Object.values(urls)) kept.forEach((url) => URL.revokeObjectURL(url));
  });
}

export default { render };
