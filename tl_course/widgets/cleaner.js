// The page of the cleaner. It shows `_state` and asks the kernel for whatever a click or a key means. Only the focus and
// the selection live here first, so that quick typing never has to wait.

const KEYS = [
  ["← → ↑ ↓ Home End", "move"],
  ["1 – 9, 0", "give this label; the one it has already keeps it"],
  ["d or Delete", "drop"],
  ["k or Enter", "keep: it is right as it is"],
  ["r", "restore a dropped picture"],
  ["u or Ctrl + Z", "undo the last step whole, in earlier sessions too"],
  ["Shift + U", "redo"],
  ["x or Space", "select, or no longer"],
  ["Shift + ← → ↑ ↓", "select as you move"],
  ["a or Ctrl + A", "select all on this page"],
  ["Escape", "select none"],
  ["Shift + click", "select all up to here"],
  ["Ctrl or ⌘ + click", "select this one too, or no longer"],
  ["Drag", "select what the frame touches; with Shift these too, with Ctrl the opposite"],
  ["Page Up, Page Down", "turn the page; with Shift to the first or last"],
  ["?", "show or hide these keys"],
];
const BUTTONS = 24; // for labels, at most
const DIGITS = "1234567890";
const SAID = { undecided: "", relabelled: "relabelled", dropped: "dropped", kept: "kept" };
const TINY = 100; // pixels: smaller pictures are shown with their pixels seen, up to `ENLARGED` times as large
const ENLARGED = 3;
const THUMBNAIL = 160; // pixels of the longer side: what is smaller is whole
const NARROW = 430; // pixels, as in cleaner.css
const TALLEST = 820; // pixels
const LOWEST = 336; // pixels
const ABOVE = 110; // pixels that the code above may take: together they are seen at once
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;
const word = (text) => h("bdi", { textContent: text }); // a label: it may be written from right to left

function render({ model, el }) {
  const state = () => model.get("_state");
  const urls = { thumbnails: new Map(), view: new Map() }; // object URLs by picture
  const asked = { thumbnails: new Set(), view: new Set() };
  const idBase = `tlc-${Math.random().toString(36).slice(2, 8)}`;
  let current = ""; // the picture in focus
  const names = () => state().pictures.map((one) => one.name);
  const picked = new Picked({ names, current: () => current });
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
  const opener = (text, name) =>
    button(text, () => toggle(name), { "aria-expanded": "false", "aria-controls": `${idBase}-${name}` });
  const undo = button("Undo", () => back("undo"), { title: "Take the last step back (u)" });
  const redo = button("Redo", () => back("redo"), { title: "Do it again (Shift + U)" });
  const rerank = button("Re-rank", () => ask({ do: "retrain" }), {
    title: "Rank all pictures anew, from page 1. A page keeps its order while you decide; what follows is ranked anew when you turn to it.",
  });
  const openers = { filters: opener("Filter", "filters"), report: opener("Report", "report"), keys: opener("Keys ?", "keys") };
  openers.filters.className = "tlc-opens-filters";
  const tally = h("p", { className: "tlc-tally" });
  const bar = h("span", { className: "tlb-bar", "aria-hidden": "true" });
  const accuracy = h("p", { className: "tlc-accuracy" });
  const filters = {};
  for (const [key, text] of Object.entries({ state: "Show", label: "Label", split: "Split", kind: "Suspicion" })) {
    filters[key] = h("select", { "aria-label": text, title: text, onchange: () => ask({ do: "filter", [key]: filters[key].value }) });
  }
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const panels = {
    filters: h("div", { id: `${idBase}-filters`, className: "tlb-row tlc-filters" }, ...Object.values(filters)),
    keys: h(
      "section", { id: `${idBase}-keys`, className: "tlc-panel", hidden: true, tabIndex: 0, "aria-label": "Keys" },
      h("dl", {}, ...KEYS.map(([key, text]) => h("div", {}, h("dt", { textContent: key }), h("dd", { textContent: text })))),
    ),
    report: h("section", { id: `${idBase}-report`, className: "tlc-panel", hidden: true, tabIndex: 0, "aria-label": "Report" }),
  };
  const isOpen = (name) => openers[name].getAttribute("aria-expanded") === "true";
  function toggle(name, open = !isOpen(name)) {
    for (const each of name === "filters" ? [] : ["keys", "report"]) {
      panels[each].hidden = !(open && each === name);
      openers[each].setAttribute("aria-expanded", String(open && each === name));
    }
    if (name === "filters") openers.filters.setAttribute("aria-expanded", String(open));
    root.classList.toggle("tlc-filtering", isOpen("filters"));
    if (name === "report" && open) ask({ do: "report" });
  }

  const grid = h("div", {
    className: "tlc-grid", role: "listbox", "aria-multiselectable": "true", "aria-orientation": "horizontal",
    "aria-label": "Pictures, most suspicious first",
  });
  const empty = h("p", { className: "tlb-muted tlc-empty", textContent: "No picture passes these filters." });
  const scroller = h("div", { className: "tlc-scroll" }, empty, grid);
  const all = button("Select page", () => selectAll(), { title: "Select all on this page (a)", className: "tlc-all" });
  const none = button("✕", () => selectNone(), { title: "Select none (Escape)", "aria-label": "Select none", className: "tlb-quiet" });
  const chosen = h("span", { className: "tlc-chosen", role: "status", "aria-live": "polite" });
  const before = button("‹", () => turn(state().page - 1), { title: "The page before (Page Up)", "aria-label": "Page before" });
  const pageText = h("span", { className: "tlb-muted" });
  const number = h("input", {
    type: "number", min: 1, className: "tlc-number", "aria-label": "Go to page", onchange: () => turn(Number(number.value)),
  });
  const after = button("›", () => turn(state().page + 1), { title: "The next page (Page Down)", "aria-label": "Next page" });

  // ---- the picture in focus, and what can be decided

  const view = h("img", { className: "tlc-view", alt: "", draggable: false });
  const strip = h("ul", { className: "tlc-neighbours" });
  const stripText = h("p", {});
  const name = h("span", { className: "tlc-name" });
  const given = h("p", { className: "tlc-called" });
  const reason = h("p", { className: "tlc-why" });
  const digits = h("div", { className: "tlb-tools tlc-labels" });
  const further = h("select", { "aria-label": "Give another label" });
  further.onchange = () => {
    if (further.value) act("relabel", { label: further.value });
    further.value = "";
  };
  const acts = {
    keep: button("", () => act("keep"), { title: "It is right as it is (k or Enter)" }),
    drop: button("", () => act("drop"), { title: "Take it out of the set (d or Delete)", className: "tlc-drop" }),
    restore: button("", () => act("restore"), { title: "Bring a dropped picture back (r)" }),
  };
  const select = button("Select", () => toggleSelected(current), { title: "Select, to decide on several at once (x or Space)" });
  const decide = h(
    "div", { role: "group", "aria-label": "Decide", className: "tlc-decide" },
    digits, h("div", { className: "tlb-tools" }, ...Object.values(acts), select),
  );
  const shown = h("div", { className: "tlc-shown" }, h("div", { className: "tlc-stage" }, view), h("div", { className: "tlc-near" }, stripText, strip));
  const about = h(
    "section", { className: "tlc-detail", "aria-label": "The picture in focus" },
    h("div", { className: "tlc-words" }, given, reason), decide,
  );

  const root = h(
    "div",
    // Keys that are used here stay in here: in JupyterLab "x" would cut the cell, and "d", "d" delete it.
    { className: "tlb tlc", tabIndex: -1, role: "region", "aria-label": "Cleaner", onkeydown: keydown },
    h("div", { className: "tlb-head" }, title, h("span", { className: "tlb-acts" }, undo, redo, rerank, ...Object.values(openers))),
    h("div", { className: "tlc-numbers" }, tally, accuracy, bar),
    h("div", { className: "tlb-row tlc-second" }, panels.filters, h("div", { className: "tlb-said" }, polite, alarm)),
    h(
      "div", { className: "tlc-main" },
      h(
        "div", { className: "tlc-left" },
        scroller,
        h("div", { className: "tlb-row tlc-pager" }, all, chosen, none, before, pageText, number, after),
        panels.keys, panels.report,
      ),
      shown,
      about,
    ),
  );

  // ---- room: all of it is seen at once, however low the window

  const port = () => root.closest(".jp-WindowedPanel-outer, .jp-Notebook, #site");
  let room = 0;
  function makeRoom() {
    // A frame of its own, as in Colab, is as high as what is in it, so its height says nothing.
    const framed = window.parent !== window && !port();
    const high = port()?.clientHeight || (framed ? Math.min(640, window.screen.availHeight - 240) : window.innerHeight);
    const top = root.closest(".jp-Cell, .cell")?.getBoundingClientRect().top;
    const above = top === undefined ? 0 : Math.min(root.clientWidth < NARROW ? 0 : ABOVE, root.getBoundingClientRect().top - top);
    const now = Math.max(LOWEST, Math.min(high - 16 - above, TALLEST));
    if (now !== room) root.style.setProperty("--tlc-height", `${now}px`);
    room = now;
    fit(view);
    fitLabels();
  }
  const watching = new ResizeObserver(makeRoom);
  watching.observe(root);
  window.addEventListener("resize", makeRoom);
  const settled = setTimeout(makeRoom, 1000); // what a cell shows above while it runs is gone when it has
  function intoView() {
    const [seen, mine] = [port()?.getBoundingClientRect(), root.getBoundingClientRect()];
    if (seen && (mine.bottom > seen.bottom || mine.top < seen.top)) root.scrollIntoView({ block: "nearest" });
  }

  /** Never blurred by enlarging: a tiny picture shows its pixels, any other is at most as large as it is. */
  function fit(img) {
    const [wide, high] = [img.naturalWidth, img.naturalHeight];
    const longer = Math.max(wide, high);
    if (!longer) return;
    const box = img.parentElement;
    const times = longer >= TINY ? 1 : Math.max(1, Math.floor(Math.min(ENLARGED, box.clientWidth / wide, box.clientHeight / high)));
    img.classList.toggle("tlc-pixels", times > 1);
    // A thumbnail, until the view has come, stands where that will be.
    const stretched = img === view && longer >= THUMBNAIL && !urls.view.has(current);
    set(img.style, "width", stretched ? "100%" : `${wide * times}px`);
    set(img.style, "height", stretched ? "100%" : `${high * times}px`);
  }
  view.onload = () => fit(view);

  // ---- focus and selection ------------------------------------------------------------------------------------------

  const active = () => el.getRootNode().activeElement ?? document.activeElement;
  const cards = () => [...grid.children];
  const cardOf = (picture) => cards().find((one) => one.dataset.name === picture);
  function focusOn(picture) {
    const card = cardOf(picture);
    if (!card) return;
    card.focus({ preventScroll: true });
    const [top, bottom] = [card.offsetTop - 4, card.offsetTop + card.offsetHeight + 4]; // only the grid scrolls
    const high = scroller.clientHeight;
    if (top < scroller.scrollTop || bottom - top > high) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + high) scroller.scrollTop = bottom - high;
  }

  function look(picture, focus = true) {
    if (!picture) return;
    current = picture;
    mark();
    if (focus) focusOn(picture);
    showDetail();
    looking = picture;
    clearTimeout(lookTimer);
    lookTimer = setTimeout(tellLook, 60); // held down, an arrow key passes many
  }
  function tellPicked() {
    ask({ do: "select", picture: picked.list() });
    mark();
    showDetail();
  }
  function toggleSelected(picture) {
    picked.toggle(picture);
    tellPicked();
  }
  function selectAll() {
    picked.set(names());
    tellPicked();
  }
  function selectNone() {
    if (!picked.size) return;
    picked.set([]);
    tellPicked();
  }
  function mark() {
    for (const card of cards()) {
      card.setAttribute("aria-selected", String(picked.has(card.dataset.name)));
      card.classList.toggle("tlc-current", card.dataset.name === current);
      card.classList.toggle("tlc-pending", decided.has(card.dataset.name));
      card.tabIndex = card.dataset.name === current ? 0 : -1;
    }
    none.hidden = picked.size === 0;
    root.classList.toggle("tlc-picking", picked.size > 0);
    set(chosen, "textContent", picked.size ? `${picked.size} selected` : "");
  }

  // ---- deciding -----------------------------------------------------------------------------------------------------

  function act(verb, what = {}) {
    const shown = names();
    const targets = picked.size ? picked.list() : current ? [current] : [];
    if (!targets.length) return;
    ask({ do: verb, picture: targets, ...what });
    picked.set([]);
    mark();
    showDetail();
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
  function turn(page) {
    const to = Math.max(1, Math.min(state().pages, Math.round(page)));
    set(number, "value", String(state().page));
    if (!to || to === state().page) return;
    picked.set([]);
    scroller.scrollTop = 0;
    ask({ do: "page", number: to });
  }

  function keydown(event) {
    const control = event.ctrlKey || event.metaKey;
    const letter = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey || (control && !"az".includes(letter))) return;
    event.stopPropagation();
    if (event.target.closest("select, input, textarea")) return;
    const shown = names();
    const at = shown.indexOf(current);
    const tops = cards().map((one) => one.offsetTop);
    const columns = tops.filter((one) => one === tops[0]).length;
    const to = (place) => {
      const next = shown[Math.max(0, Math.min(shown.length - 1, place))];
      if (!next) return;
      if (event.shiftKey) picked.extend(next);
      else picked.set(picked.list());
      look(next);
      if (event.shiftKey) tellPicked();
    };
    const redoes = event.shiftKey ? "redo" : "undo";
    const everywhere = {
      d: () => act("drop"),
      Delete: () => act("drop"),
      k: () => act("keep"),
      r: () => act("restore"),
      u: () => back(redoes),
      x: () => toggleSelected(current),
      a: selectAll,
      Escape: () => (["keys", "report"].some(isOpen) ? toggle("keys", false) : selectNone()),
      PageUp: () => turn(event.shiftKey ? 1 : state().page - 1),
      PageDown: () => turn(event.shiftKey ? state().pages : state().page + 1),
      "?": () => toggle("keys"),
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
    // By the place of the key where it is not a digit without Shift, as on French keyboards.
    const digit = DIGITS.includes(event.key) ? event.key : event.shiftKey ? "" : /^Digit(\d)$/.exec(event.code)?.[1];
    const label = digit && state().labels[DIGITS.indexOf(digit)];
    const does = control
      ? { a: selectAll, z: () => back(redoes) }[letter]
      : (label && (() => act("relabel", { label }))) || everywhere[letter] || (grid.contains(event.target) && moving[letter]);
    if (!does) return;
    event.preventDefault();
    intoView();
    does();
  }
  scroller.onmousedown = (event) => event.preventDefault(); // or it would mark text
  scroller.onclick = (event) => {
    const picture = event.target.closest("[role=option]")?.dataset.name;
    intoView();
    if (!picture) selectNone();
    else if (event.shiftKey) picked.extend(picture);
    else if (event.ctrlKey || event.metaKey) picked.add(picture);
    else if (event.target.closest(".tlc-tick") || (event.pointerType === "touch" && picked.size)) picked.toggle(picture);
    else if (picked.has(picture)) picked.anchor = picture;
    else picked.set([], picture);
    look(picture || current);
    tellPicked();
  };
  let unframed = null; // what was selected when a frame was begun
  const endFrames = frameIn(scroller, {
    cards,
    drawn(touched, { ctrlKey, metaKey, shiftKey }, done) {
      unframed ??= picked.list();
      const inside = (touched ?? []).map((card) => card.dataset.name);
      const opposite = ctrlKey || metaKey;
      const kept = opposite || shiftKey || !touched ? unframed : [];
      const both = opposite ? inside.filter((one) => unframed.includes(one)) : [];
      picked.all = new Set([...kept, ...inside].filter((one) => !both.includes(one)));
      mark();
      if (!done) return;
      unframed = null;
      picked.set(picked.list());
      if (picked.size && !picked.has(current)) look(picked.list()[0], false);
      cardOf(current)?.focus({ preventScroll: true });
      tellPicked();
    },
    held: (card) => {
      look(card.dataset.name);
      toggleSelected(card.dataset.name);
    },
  });
  grid.addEventListener("focusin", (event) => {
    const picture = event.target.closest("[role=option]")?.dataset.name;
    if (picture && picture !== current) look(picture, false);
  });

  // ---- from the state -----------------------------------------------------------------------------------------------

  const called = (one) => (one.was === one.label ? [word(one.label)] : [word(one.was), " → ", word(one.label)]);
  const predicted = (one, verb) => (one.predicted ? [`${verb} `, word(one.predicted), `, ${percent(one.confidence)}`] : []);
  const said = (parts) => parts.map((part) => part.textContent ?? part).join("");

  function makeCard(picture) {
    const img = h("img", { alt: "", draggable: false });
    img.onload = () => fit(img);
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
    part("given").replaceChildren(...called(one));
    part("predicted").replaceChildren(...predicted(one, "seems"));
    part("predicted").classList.toggle("tlc-other", one.predicted !== one.label);
    set(part("reason"), "textContent", one.brief);
    card.title = `${one.name}\n${one.reason}`;
    const split = one.split === "valid" ? "validation picture" : "";
    const aloud = [said(called(one)), split, SAID[one.state], said(predicted(one, "predicted")), one.reason, one.name];
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
    if (focus && active() !== cardOf(current)) focusOn(current);
  }

  function showDetail() {
    const one = state().pictures.find((each) => each.name === current);
    shown.hidden = about.hidden = !one;
    if (!one) return;
    const url = urls.view.get(one.name) ?? urls.thumbnails.get(one.name);
    if (url) set(view, "src", url);
    view.hidden = !url;
    set(view, "alt", `${one.name}, called ${one.label}`);
    const badge = one.split === "valid" ? [h("span", { className: "tlc-split", textContent: "validation" })] : [];
    const what = SAID[one.state] ? [h("span", { className: "tlc-badge", textContent: SAID[one.state] })] : [];
    const guess = predicted(one, "predicted");
    given.replaceChildren(h("b", {}, ...called(one)), ...(guess.length ? [" · ", ...guess] : []), ...badge, ...what, " ", name);
    set(name, "textContent", one.name);
    set(reason, "textContent", one.reason ? one.reason[0].toUpperCase() + one.reason.slice(1) + "." : "Nothing speaks against it.");
    const several = state().pictures.filter((each) => picked.has(each.name));
    const targets = several.length ? several : [one];
    showTargets(targets, several.length > 0);
    showLabels(targets);
    select.textContent = picked.has(current) ? "Unselect" : "Select";
    showStrip((several.length ? several.slice(0, 16).map((each) => [each.name, each.label]) : one.neighbours), one.label);
    if (room) fitStage();
  }
  /** Which pictures a key decides on now, and how many of them are called what. */
  function showTargets(targets, several) {
    const counts = new Map();
    for (const { label } of targets) counts.set(label, (counts.get(label) ?? 0) + 1);
    const parts = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4).flatMap(([label, n]) => [", ", `${n} `, word(label)]);
    const more = counts.size > 4 ? ` and ${counts.size - 4} labels more` : "";
    stripText.className = several ? "tlc-for" : "tlb-muted";
    stripText.replaceChildren(
      ...(several ? [h("b", { textContent: `${targets.length} selected` }), ": ", ...parts.slice(1), more] : ["Nearest neighbours, and their labels"]),
    );
    const n = several ? ` ${targets.length}` : "";
    for (const [verb, key] of [["keep", "k"], ["drop", "d"], ["restore", ""]]) {
      const text = `${verb[0].toUpperCase()}${verb.slice(1)}${verb === "restore" ? "" : n}`;
      if (acts[verb].dataset.text === text) continue;
      acts[verb].dataset.text = text;
      acts[verb].replaceChildren(...(key ? [h("span", { className: "tlb-digit", "aria-hidden": "true", textContent: key }), " "] : []), text);
    }
    acts.restore.disabled = !targets.some((each) => each.state === "dropped");
  }
  function showLabels(targets) {
    const labels = JSON.stringify(state().labels);
    if (digits.dataset.labels !== labels) {
      digits.dataset.labels = labels;
      digits.replaceChildren(
        ...state().labels.slice(0, BUTTONS).map((label, at) => {
          const key = DIGITS[at];
          const node = button("", () => act("relabel", { label }), { title: `It is ${label}${key ? ` (key ${key})` : ""}` });
          node.dataset.label = label;
          if (key) node.append(h("kbd", { className: "tlb-digit", textContent: key }), " ");
          node.append(word(label));
          return node;
        }),
        further,
      );
      fitLabels();
    }
    for (const node of digits.querySelectorAll("button")) {
      const mine = targets.filter((each) => each.label === node.dataset.label).length;
      node.setAttribute("aria-pressed", mine === targets.length ? "true" : mine ? "mixed" : "false");
    }
  }
  /** Whether there is little room for the picture, even without its neighbours, which make way. */
  function fitStage() {
    const small = () => view.parentElement.clientHeight < room / 4;
    root.classList.remove("tlc-tight");
    root.classList.toggle("tlc-tight", small());
    fit(view);
    return small();
  }
  /** As many labels as fill a few rows are buttons, the others are in a list behind them: so all are always in reach. */
  function fitLabels() {
    const nodes = [...digits.querySelectorAll("button")];
    const length = state().labels.reduce((sum, label) => sum + label.length + 5, 0);
    about.classList.toggle("tlc-many", length > 40);
    for (const node of nodes) node.hidden = false;
    further.hidden = nodes.length === state().labels.length;
    if (!nodes.length || !nodes[0].offsetHeight) return;
    const rows = () => new Set([...nodes, further].filter((node) => !node.hidden).map((node) => node.offsetTop)).size;
    const most = room < 460 || root.clientWidth < 520 ? 2 : 3;
    const fewer = () => {
      nodes.findLast((node) => !node.hidden).hidden = true;
      further.hidden = false;
    };
    while (rows() > most) fewer();
    while (fitStage() && rows() > 1) fewer();
    const rest = state().labels.flatMap((label, at) => (nodes[at]?.hidden === false ? [] : [[label, `${DIGITS[at] ?? ""} ${label}`.trim()]]));
    further.hidden = !rest.length;
    setOptions(further, [["", nodes.some((node) => !node.hidden) ? "Other label …" : "Label …"], ...rest]);
  }
  function showStrip(pictures, mine) {
    const near = JSON.stringify([pictures, mine]);
    if (strip.dataset.shown !== near) {
      strip.dataset.shown = near;
      strip.replaceChildren(
        ...pictures.map(([picture, label]) => {
          const node = h("li", { title: picture }, h("img", { alt: "" }), h("span", {}, word(label)));
          node.dataset.name = picture;
          node.classList.toggle("tlc-other", label !== mine);
          return node;
        }),
      );
    }
    for (const node of strip.children) {
      const small = urls.thumbnails.get(node.dataset.name);
      if (small) set(node.firstChild, "src", small);
    }
    fetchPictures("thumbnails", pictures.map(([picture]) => picture));
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
    tally.replaceChildren(...parts.map((text, at) => h("span", { textContent: `${at ? " · " : ""}${text}` })));
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
    if (now.chosen !== heardChosen) picked.set(now.selected);
    heardChosen = now.chosen;
    if (now.moved !== heardMoved || !names().includes(current)) {
      current = now.focus;
      looking = null;
      fetchPictures("view", current ? [current] : []);
    }
    heardMoved = now.moved;
    for (const one of now.pictures) if (one.state !== "undecided") decided.delete(one.name);
    if (now.alert) decided.clear();
    if (picked.list().length < picked.size) picked.set(picked.list());

    set(title, "textContent", now.title);
    undo.disabled = !now.undo;
    redo.disabled = !now.redo;
    showNumbers();
    setOptions(filters.state, [...now.states, "all"].map((one) => [one, one]));
    setOptions(filters.label, [["all", "all labels"], ...now.labels.map((one) => [one, one])]);
    setOptions(filters.split, [["all", "all splits"], ...now.splits.map((one) => [one, { valid: "validation", train: "training" }[one] ?? one])]);
    setOptions(filters.kind, [["all", "all suspicions"], ...now.kinds.map((one) => [one, one])]);
    for (const [key, node] of Object.entries(filters)) set(node, "value", now.filter[key]);
    all.disabled = !now.count;
    showGrid(focused);
    set(pageText, "textContent", `page ${now.page} of ${now.pages}, ${many(now.count)}`);
    number.hidden = now.pages < 4;
    set(number, "max", String(now.pages));
    set(number, "value", String(now.page));
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
    clearTimeout(settled);
    endFrames();
    watching.disconnect();
    window.removeEventListener("resize", makeRoom);
    for (const kept of Object.values(urls)) kept.forEach((url) => URL.revokeObjectURL(url));
  });
}

export default { render };
