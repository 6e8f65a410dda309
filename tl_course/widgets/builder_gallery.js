// The images of a label: several are selected as in a file manager, dragged to another label, enlarged.

const DRAGGED = "application/x-tl-course-images";

/** `page` is the whole builder's, `now()` the label as the kernel has it, `turn(by)` asks for another page of images. */
function makeGallery(page, { now, turn, nextFocus }) {
  const grid = h("div", { className: "tlb-grid", role: "listbox", "aria-orientation": "horizontal", "aria-multiselectable": "true" });
  const area = h("div", { className: "tlb-gallery" }, grid);
  const chosen = h("span", { className: "tlb-chosen tlb-muted" });
  const remove = button("Remove", () => removeThem(), { title: "Remove (Delete, Backspace or x)" });
  const moveTo = h("select", { title: "Move to another label (its digit, or drag them there)" });
  moveTo.onchange = () => {
    if (moveTo.value) moveThem(moveTo.value);
    moveTo.value = "";
  };
  const enlarge = button("Enlarge", () => current && page.enlarge(now().id, current), { title: "Enlarge (space, or double click)" });
  const credit = h("span", { className: "tlb-credit tlb-muted" });
  const before = button("‹", () => turn(-1), { "aria-label": "Newer images", title: "Newer images (PageUp)" });
  const pageText = h("span", { className: "tlb-muted" });
  const after = button("›", () => turn(1), { "aria-label": "Older images", title: "Older images (PageDown)" });
  const pager = h("span", { className: "tlb-pager" }, before, pageText, after);
  const tools = h("div", { className: "tlb-tools", role: "toolbar" }, chosen, remove, moveTo, enlarge, credit, pager);

  let current = null; // the name of the image that has the focus
  let turned = false; // then the first image of the new page takes the focus
  const options = () => [...grid.children];
  const names = () => options().map((one) => one.dataset.name);
  const picked = new Picked({ names, current: () => current });
  const node = (name) => options().find((one) => one.dataset.name === name);
  const targets = () => (picked.size ? picked.list() : current ? [current] : []);

  function mend() {
    const shown = options();
    if (!shown.some((one) => one.dataset.name === current)) current = null;
    shown.forEach((one, place) => {
      one.setAttribute("aria-selected", String(picked.has(one.dataset.name)));
      one.tabIndex = one.dataset.name === current || (current === null && place === 0) ? 0 : -1;
    });
    const many = targets().length;
    remove.disabled = moveTo.disabled = many === 0;
    enlarge.disabled = current === null;
    set(chosen, "textContent", picked.size ? `${picked.size} selected` : "");
    set(credit, "textContent", many === 1 ? (now()?.images.find((one) => one.name === targets()[0])?.credit ?? "") : "");
  }
  function clear() {
    picked.set([]);
    mend();
  }
  /** The image that keys are for, and with it what is selected, by `how`: alone, more of a range, one more, none else. */
  function go(one, how = "alone", focus = true) {
    if (!one) return;
    const { name } = one.dataset;
    page.onlyHere(clear);
    if (how === "range") picked.extend(name);
    else if (how === "more") picked.toggle(name);
    else if (how === "alone") picked.set([name], name);
    current = name;
    mend();
    if (focus) one.focus();
  }
  function removeThem() {
    if (targets().length) page.ask({ do: "remove", images: targets() });
  }
  function moveThem(label, images = targets()) {
    if (images.length && label !== now().name) page.ask({ do: "move", images, label });
  }

  // ---- mouse and finger

  grid.onclick = (event) => {
    const one = event.target.closest("[role=option]");
    if (event.shiftKey) go(one, "range");
    else if (event.ctrlKey || event.metaKey) go(one, "more");
    else go(one);
  };
  grid.ondblclick = (event) => {
    const one = event.target.closest("[role=option]");
    if (one) page.enlarge(now().id, one.dataset.name);
  };
  grid.addEventListener("focusin", (event) => {
    const one = event.target.closest("[role=option]");
    if (one && one.dataset.name !== current) go(one, "none", false);
  });
  // With the mouse an image is dragged, and a frame begins beside it.
  grid.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" && event.target.closest("[role=option]")) event.stopPropagation();
  });
  area.addEventListener("click", (event) => event.target.closest("[role=option]") || clear());
  let framed = null; // what was selected before the frame
  const endFrames = frameIn(area, {
    cards: options,
    drawn: (touched, event, done) => {
      framed ??= event.shiftKey || event.ctrlKey || event.metaKey ? picked.list() : [];
      page.onlyHere(clear);
      const inside = (touched ?? []).map((one) => one.dataset.name);
      picked.set([...new Set([...framed, ...inside])], inside[0] ?? "");
      if (done) {
        framed = null;
        const first = node(picked.list()[0]);
        if (first) [current] = [first.dataset.name, first.focus({ preventScroll: true })];
      }
      mend();
    },
    held: (one) => go(one, "more"),
  });

  grid.ondragstart = (event) => {
    const one = event.target.closest("[role=option]");
    if (!one) return;
    if (!picked.has(one.dataset.name)) go(one);
    page.dragging = { from: now().id, images: picked.list() };
    event.dataTransfer.setData(DRAGGED, String(picked.size));
    event.dataTransfer.effectAllowed = "move";
    if (picked.size > 1) {
      const badge = h("div", { className: "tlb-badge", textContent: page.many(picked.size) });
      page.root.append(badge);
      event.dataTransfer.setDragImage(badge, -8, -8);
      setTimeout(() => badge.remove());
    }
  };
  grid.ondragend = () => {
    page.dragging = null;
    page.endDrag();
  };

  // ---- keys

  grid.onkeydown = (event) => {
    const shown = options();
    const at = shown.findIndex((one) => one.dataset.name === current);
    const columns = shown.filter((one) => one.offsetTop === shown[0].offsetTop).length;
    const mod = event.ctrlKey || event.metaKey;
    const how = event.shiftKey ? "range" : mod ? "none" : "alone";
    const to = (place) => go(shown[Math.max(0, Math.min(shown.length - 1, place))], how);
    const keys = {
      ArrowRight: () => to(at + 1),
      ArrowLeft: () => to(at - 1),
      ArrowDown: () => at + columns < shown.length && to(at + columns),
      ArrowUp: () => at - columns >= 0 && to(at - columns),
      Home: () => to(0),
      End: () => to(shown.length - 1),
    };
    const plain = {
      PageUp: () => turn(-1),
      PageDown: () => turn(1),
      Delete: removeThem,
      Backspace: removeThem,
      x: removeThem,
      Enter: () => current && page.enlarge(now().id, current),
      " ": () => current && page.enlarge(now().id, current),
    };
    const modified = {
      a: () => (page.onlyHere(clear), picked.set(names(), current ?? ""), mend()),
      " ": () => go(shown[at], "more"),
    };
    const label = !mod && /^[1-9]$/.test(event.key) && page.state().labels[Number(event.key) - 1];
    let act = keys[event.key] ?? (mod ? modified[event.key] : plain[event.key]);
    if (event.key === "Escape" && picked.size) act = clear;
    if (event.altKey || (!act && !label)) return;
    event.preventDefault();
    event.stopPropagation();
    if (act) act();
    else moveThem(label.name);
  };

  // ---- from the state

  function show(row, all) {
    const focused = grid.contains(page.active());
    const place = Math.max(0, names().findIndex((name) => targets().includes(name)));
    const there = new Map(options().map((one) => [one.dataset.name, one]));
    const wanted = row.images.map((image) => {
      let one = there.get(image.name);
      if (!one) {
        one = h("div", { className: "tlb-image", role: "option", draggable: true }, h("img", { draggable: false }));
        one.dataset.name = image.name;
      }
      there.delete(image.name);
      set(one.firstChild, "alt", image.alt);
      set(one, "title", image.credit);
      const url = page.urls.get(image.name);
      if (url) set(one.firstChild, "src", url);
      return one;
    });
    const lost = focused && there.has(current);
    for (const one of there.values()) one.remove();
    wanted.forEach((one, at) => grid.children[at] !== one && grid.insertBefore(one, grid.children[at] ?? null));
    if (picked.list().length < picked.size) picked.set(picked.list());
    if ((lost || turned) && wanted.length) go(wanted[turned ? 0 : Math.min(place, wanted.length - 1)]);
    else if (lost) nextFocus.focus();
    else if (focused && current && page.active() !== node(current)) node(current)?.focus(); // it was moved along
    turned = false;

    grid.setAttribute("aria-label", `Images of ${row.name}`);
    tools.setAttribute("aria-label", `The selected images of ${row.name}`);
    area.hidden = tools.hidden = row.count === 0;
    const others = all.map((one, at) => [one, at]).filter(([one]) => one.id !== row.id);
    const listed = others.map(([one, at]) => [one.name, at < 9 ? `${at + 1}  ${one.name}` : one.name]);
    setOptions(moveTo, [["", "Move to …"], ...listed]);
    moveTo.hidden = others.length === 0;
    moveTo.setAttribute("aria-label", `Move the selected images of ${row.name} to`);
    pager.hidden = row.pages < 2;
    set(pageText, "textContent", `${row.page} of ${row.pages}`);
    before.disabled = row.page <= 1;
    after.disabled = row.page >= row.pages;
    mend();
  }
  return {
    area, tools, show, clear, moveThem,
    end: endFrames,
    turns: () => (turned = grid.contains(page.active())),
    focusOn: (name) => go(node(name) ?? options()[0]),
  };
}
