// The panel of a label: what it is called, where its images come from, what came of it, and the images.

const RATE = 200; // milliseconds between frames while the camera's button is held
const FRAME = 640; // pixels of a frame's longer side; the kernel keeps no more

/** `page` is the whole builder's, `id` the kernel's number of the label, which stays when it is renamed. */
function makeSection(page, id) {
  const now = () => page.state().labels.find((row) => row.id === id);
  const limits = () => page.state().limits;
  const configure = async (what) => Boolean(await page.answered({ do: "set_source", label: now().name, ...what }));
  const field = (key, properties = {}) => h("input", { type: "text", autocomplete: "off", spellcheck: false, id: `${page.idBase}-${id}-${key}`, ...properties });
  const labelled = (text, input, wrong) =>
    h("div", { className: "tlb-field" }, h("label", { for: input.id, textContent: text }), input, wrong);

  // ---- the name

  const digit = h("kbd", { className: "tlb-digit" });
  const name = field("name", { className: "tlb-name", dir: "auto" });
  const others = () => page.state().labels.filter((row) => row.id !== id).map((row) => row.name);
  const nameField = wire(name, {
    check: (text, touched) => (touched ? labelTrouble(text, others(), limits().name) : ""),
    commit: async (text) => Boolean(await page.answered({ do: "rename_label", old: now().name, new: text })),
    commitOnEnter: true,
  });
  const countText = h("span", { className: "tlb-count" });
  const bar = h("span", { className: "tlb-bar", "aria-hidden": "true" }, h("span"));
  const drop = button("✕", () => page.ask({ do: "remove_label", name: now().name }), { className: "tlb-quiet" });

  // ---- where its images come from

  const source = h("select", { id: `${page.idBase}-${id}-source` });
  source.onchange = () => configure({ source: source.value });
  const kind = () => page.state().sources.find((one) => one.name === now().source);
  const tooLong = (text) => (text.length > limits().search ? `At most ${limits().search} characters.` : "");
  const number = field("n", { inputMode: "numeric", className: "tlb-number" });
  const numberField = wire(number, {
    check: (text) => (wholeNumber(text, limits().most) ? "" : `Write a whole number from 1 to ${limits().most.toLocaleString("en")}.`),
    commit: (text) => configure({ n: wholeNumber(text, limits().most) }),
    changed: () => mendCollect(),
  });
  const where = field("where");
  const whereField = wire(where, {
    check: (text, touched) => tooLong(text) || (touched && !text.trim() ? `Write the ${kind().where.toLowerCase()}.` : ""),
    commit: (text) => configure({ where: text }),
    changed: () => mendCollect(),
  });
  const query = field("query", { dir: "auto" });
  const queryField = wire(query, {
    check: (text) => {
      const asked = oneLine(text) || now().name;
      const drawn = page.state().drawn;
      if (now().source === "rendered" && !drawn.includes(asked)) {
        return `There are no drawn images of “${asked}”; there are of ${drawn.slice(0, 6).join(", ")}, …`;
      }
      return tooLong(text);
    },
    commit: (text) => configure({ query: text }),
    changed: () => mendCollect(),
  });
  const whereBox = labelled("Where", where, whereField.wrong);
  const queryBox = labelled("Search for", query, queryField.wrong);
  for (const box of [whereBox, queryBox]) box.classList.add("tlb-wide");
  const collect = button("Collect", () => page.ask({ do: now().busy ? "stop" : "collect", label: now().name }));
  function mendCollect() {
    const row = now();
    if (!row) return;
    const pathMissing = !whereBox.hidden && !where.value.trim();
    const trouble = numberField.trouble() || queryField.trouble() || (!whereBox.hidden && whereField.trouble());
    collect.disabled = !row.busy && Boolean(trouble || pathMissing);
    collect.title = collect.disabled ? trouble || `Write the ${kind().where.toLowerCase()} first.` : "";
  }

  const picker = h("input", { type: "file", multiple: true, accept: "image/*,.zip", hidden: true, tabIndex: -1 });
  picker.onchange = () => page.sendFiles(id, [...picker.files]).then(() => (picker.value = ""));
  const addFiles = button("Add files", () => picker.click(), { title: "Or drop images and zips anywhere here" });
  const cameraButton = button("Camera", () => toggleCamera());
  const cameraPlace = h("div", { className: "tlb-camera-place" });

  // ---- what came of it

  const news = h("p", { className: "tlb-news", dir: "auto" });
  const skipped = h("details", { className: "tlb-skips" }, h("summary"), h("ul"));
  let heardNews = null; // what the page itself says stays until the kernel says something new
  function say(text, alert = false) {
    set(news, "textContent", text);
    news.classList.toggle("tlb-trouble", alert);
  }
  function showSkips(row) {
    skipped.hidden = row.skips.length === 0;
    const all = row.skips.reduce((sum, [, n]) => sum + n, 0);
    set(skipped.firstChild, "textContent", `${all} passed over so far`);
    const items = row.skips.map(([why, n, names]) => `${n} ${why}: ${n > names.length ? "… " : ""}${names.join(", ")}`);
    if (skipped.lastChild.dataset.items === JSON.stringify(items)) return;
    skipped.lastChild.dataset.items = JSON.stringify(items);
    skipped.lastChild.replaceChildren(...items.map((text) => h("li", { textContent: text })));
  }

  function turn(by) {
    const to = now().page + by;
    if (to < 1 || to > now().pages) return;
    gallery.turns();
    page.ask({ do: "page", label: now().name, number: to });
  }
  const gallery = makeGallery(page, { now, turn, nextFocus: addFiles });
  const empty = h("p", { className: "tlb-empty tlb-muted", textContent: "No images yet. Collect, add or drop some." });

  const section = h(
    "section",
    { className: "tlb-label" },
    h("div", { className: "tlb-row" }, digit, h("div", { className: "tlb-field" }, name, nameField.wrong), countText, bar, drop),
    h(
      "div",
      { className: "tlb-row tlb-how" },
      h("div", { className: "tlb-field" }, h("label", { for: source.id, textContent: "From" }), source),
      whereBox,
      queryBox,
      labelled("Up to", number, numberField.wrong),
      collect,
      h("span", { className: "tlb-acts" }, addFiles, cameraButton),
      picker,
    ),
    h("div", { className: "tlb-outcome" }, news, skipped),
    cameraPlace,
    empty,
    gallery.area,
    gallery.tools,
  );

  // ---- what is dropped: files, and images of other labels. dragleave also fires between its children, hence the count.

  let inside = 0;
  const mark = (by) => section.classList.toggle("tlb-drop", (inside = Math.max(0, by)) > 0);
  const comes = (event) =>
    event.dataTransfer?.types.includes("Files") || (page.dragging && page.dragging.from !== id);
  section.ondragenter = (event) => comes(event) && (event.preventDefault(), mark(inside + 1));
  section.ondragleave = (event) => comes(event) && mark(inside - 1);
  section.ondragover = (event) => {
    if (!comes(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = page.dragging ? "move" : "copy";
  };
  section.ondrop = (event) => {
    if (!comes(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(0);
    if (page.dragging) page.ask({ do: "move", images: page.dragging.images, label: now().name });
    else page.sendFiles(id, [...event.dataTransfer.files]);
  };

  // ---- the camera

  async function toggleCamera() {
    if (cameraPlace.firstChild) return page.camera.close();
    let holding = ""; // the recording under way
    let single = ""; // the recording of images that are taken one by one
    let count = 0;
    const release = () => {
      holding = "";
      shutter.classList.remove("tlb-held");
    };
    const shutter = button("Hold to record", () => {}, { className: "tlb-shutter" });
    const camera = await page.camera.open(FRAME, (text) => page.say(text, true, id), () => {
      release();
      cameraPlace.replaceChildren();
      cameraButton.setAttribute("aria-expanded", "false");
      if (page.active() === page.root || page.active() === document.body) cameraButton.focus();
    });
    if (!camera) return;
    const taken = h("span", { className: "tlb-taken tlb-muted", textContent: "Held, it takes five images a second. Let go and move on: every recording shows another scene." });
    const close = button("Close camera", () => (page.camera.close(), cameraButton.focus()));

    async function take(recording) {
      const frame = await camera.frame();
      if (!frame || !now()) return;
      taken.textContent = `${page.many(++count)} taken`;
      await page.answered({ do: "capture", label: now().name, recording }, [frame]);
    }
    async function hold() {
      if (holding) return;
      const recording = (holding = `${id}-${Date.now()}`);
      shutter.classList.add("tlb-held");
      while (holding === recording) {
        const began = Date.now();
        await take(recording);
        await new Promise((done) => setTimeout(done, Math.max(0, RATE - (Date.now() - began))));
      }
    }
    const isKey = (event) => event.key === " " || event.key === "Enter";
    shutter.onpointerdown = (event) => event.button === 0 && (shutter.setPointerCapture(event.pointerId), hold());
    shutter.onpointerup = shutter.onpointercancel = shutter.onblur = release;
    shutter.oncontextmenu = (event) => event.preventDefault(); // a long touch is no menu
    shutter.onkeydown = (event) => isKey(event) && (event.preventDefault(), event.stopPropagation(), hold());
    shutter.onkeyup = (event) => isKey(event) && (event.preventDefault(), release());
    shutter.onclick = (event) => {
      // A screen reader's click has no pointer that is held: it takes one image.
      if (event.detail === 0 && !holding) take((single ||= `${id}-${Date.now()}`));
    };
    cameraPlace.replaceChildren(h("div", { className: "tlb-camera" }, camera.video, h("div", {}, shutter, taken, close)));
    cameraButton.setAttribute("aria-expanded", "true");
    shutter.focus({ preventScroll: true });
  }

  // ---- from the state

  function show(row, place, all) {
    set(digit, "textContent", place < 9 ? String(place + 1) : "");
    digit.hidden = place > 8;
    digit.title = `Key ${place + 1} moves the selected images here`;
    section.setAttribute("aria-label", `Label ${row.name}`);
    name.setAttribute("aria-label", `Name of label ${place + 1}`);
    nameField.show(row.name);
    set(countText, "textContent", page.many(row.count));
    const most = Math.max(page.state().enough, ...all.map((one) => one.count));
    bar.firstChild.style.width = `${(100 * row.count) / most}%`;
    bar.classList.toggle("tlb-enough", row.count >= page.state().enough);
    drop.setAttribute("aria-label", `Remove the label ${row.name}`);
    drop.title = `Remove the label ${row.name}`;

    setOptions(source, page.state().sources.map((one) => [one.name, one.title]));
    set(source, "value", row.source);
    source.title = kind().help;
    whereBox.hidden = !kind().where;
    where.placeholder = kind().where;
    where.title = kind().help;
    queryBox.firstChild.textContent = kind().where ? "Called there" : row.source === "rendered" ? "Draw" : "Search for";
    query.placeholder = row.name;
    whereField.show(row.where);
    queryField.show(row.query);
    numberField.show(String(row.n));
    set(collect, "textContent", row.busy ? "Stop" : "Collect");
    collect.classList.toggle("tlb-main", !row.busy);
    collect.setAttribute("aria-label", `${row.busy ? "Stop collecting" : "Collect"} ${row.name}`);
    mendCollect();
    addFiles.setAttribute("aria-label", `Add files to ${row.name}`);
    cameraButton.setAttribute("aria-label", `Camera for ${row.name}`);
    picker.setAttribute("aria-label", `Files for ${row.name}`);

    const heard = JSON.stringify([row.news, row.troubled, page.state().about === id && page.state().said]);
    if (heard !== heardNews) say(row.news, row.troubled);
    heardNews = heard;
    showSkips(row);
    empty.hidden = row.count > 0;
    gallery.show(row, all);
  }
  return { node: section, gallery, show, say, unmark: () => mark(0), hasCamera: () => Boolean(cameraPlace.firstChild), newName: name };
}
