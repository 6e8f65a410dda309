// The page of the data-set builder. It shows `_state` and asks the kernel for whatever a click or a key means; it
// decides nothing about the data set itself.

const CHUNK = 512 * 1024; // Jupyter closes the connection on messages of more than 10 MB
const FRAME = 640; // pixels of a camera frame's longer side; the kernel keeps no more
const RATE = 200; // milliseconds between frames while the button is held
const CAMERA_TROUBLE = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it beside the address bar, then try again.",
  NotFoundError: "No camera was found. Plug one in, or add files.",
  NotReadableError: "The camera is in use by another program. Close that, then try again.",
};

function render({ model, el }) {
  const state = () => model.get("_state");
  const ask = (what, buffers) => model.send(what, undefined, buffers);
  const waiting = new Map(); // what the kernel has not answered yet
  const urls = new Map(); // object URLs of thumbnails, by picture
  const sections = new Map(); // by the id of a label
  const idBase = `tlb-${Math.random().toString(36).slice(2, 8)}`;
  let serial = 0;
  let camera = null; // the one live view
  let opening = false; // while the browser asks whether it may

  const answered = (what, buffers) =>
    new Promise((resolve) => {
      const ack = `${idBase}-${serial++}`;
      waiting.set(ack, resolve);
      ask({ ...what, ack }, buffers);
    });

  // ---- the frame ----------------------------------------------------------------------------------------------------

  const title = h("span", { className: "tlb-title" });
  const total = h("span", { className: "tlb-muted" });
  const undo = button("Undo", () => ask({ do: "undo" }), { title: "Take the last step back (key u)" });
  const save = button("Save", () => ask({ do: "save" }), { title: "Write metadata.csv and say where" });
  const advice = h("p", { className: "tlb-advice" });
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const list = h("div", { className: "tlb-list" });
  const newName = h("input", { type: "text", placeholder: "such as cat", id: `${idBase}-new`, maxLength: 60 });
  const addForm = h(
    "form",
    {
      className: "tlb-add",
      onsubmit: (event) => {
        event.preventDefault();
        if (newName.value.trim()) ask({ do: "add_label", name: newName.value });
        newName.value = "";
      },
    },
    h("label", { for: newName.id, textContent: "New label" }),
    newName,
    h("button", { type: "submit", textContent: "Add label" }),
  );
  const root = h(
    "div",
    // Keys without Ctrl, Alt or Cmd stay in here: in JupyterLab "x" would cut the cell, and "d", "d" delete it.
    { className: "tlb", tabIndex: -1, role: "region", "aria-label": "Data-set builder", onkeydown: keydown },
    h("div", { className: "tlb-head" }, title, total, h("span", { className: "tlb-acts" }, undo, save)),
    advice,
    h("div", { className: "tlb-said" }, polite, alarm),
    list,
    addForm,
  );

  function keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    if (event.key === "u" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      ask({ do: "undo" });
    }
  }

  let saidAt = 0;
  let saying = 0;
  function say(text, alert = false) {
    set(alarm, "textContent", alert ? text : "");
    clearTimeout(saying);
    const speak = () => {
      saidAt = Date.now();
      set(polite, "textContent", alert ? "" : text);
    };
    // A screen reader would stumble over five sentences a second.
    saying = setTimeout(speak, alert ? 0 : Math.max(0, 700 - (Date.now() - saidAt)));
  }

  // ---- a label ------------------------------------------------------------------------------------------------------

  function makeSection(id) {
    const now = () => state().labels.find((row) => row.id === id);
    const configure = (what) => ask({ do: "set_source", label: now().name, ...what });
    const field = (key, properties) => h("input", { id: `${idBase}-${id}-${key}`, ...properties });
    const labelled = (text, input, className = "") =>
      h("label", { className: `tlb-field ${className}`, for: input.id }, h("span", { textContent: text }), input);

    const digit = h("kbd", { className: "tlb-digit" });
    const name = field("name", { type: "text", className: "tlb-name", maxLength: 60 });
    name.onchange = () => {
      if (name.value.trim() && name.value !== now().name) ask({ do: "rename_label", old: now().name, new: name.value });
      else name.value = now().name;
    };
    name.onkeydown = (event) => {
      if (event.key === "Escape") name.value = now().name;
      if (event.key === "Escape" || event.key === "Enter") name.blur();
    };
    const countText = h("span", { className: "tlb-count" });
    const bar = h("span", { className: "tlb-bar", "aria-hidden": "true" }, h("span"));
    const drop = button("✕", () => ask({ do: "remove_label", name: now().name }), { className: "tlb-quiet" });

    const source = h("select", { id: `${idBase}-${id}-source` });
    source.onchange = () => configure({ source: source.value });
    const number = field("n", { type: "number", min: 1, max: 10000, className: "tlb-number" });
    number.onchange = () => number.validity.valid && number.value && configure({ n: Number(number.value) });
    const where = field("where", { type: "text" });
    where.onchange = () => configure({ where: where.value });
    const query = field("query", { type: "text" });
    query.onchange = () => configure({ query: query.value });
    const collect = button("Collect", () => ask({ do: now().busy ? "stop" : "collect", label: now().name }));
    const whereField = labelled("Where", where, "tlb-wide");
    const queryField = labelled("Search for", query, "tlb-wide");

    const picker = h("input", { type: "file", multiple: true, accept: "image/*,.zip", hidden: true, tabIndex: -1 });
    picker.onchange = () => sendFiles(now().name, [...picker.files]).then(() => (picker.value = ""));
    const addFiles = button("Add files", () => picker.click(), { title: "Or drop pictures and zips anywhere here" });
    const cameraButton = button("Camera", () => toggleCamera());

    const grid = h("div", { className: "tlb-grid", role: "listbox", "aria-orientation": "horizontal" });
    const empty = h("p", { className: "tlb-empty tlb-muted", textContent: "No pictures yet. Collect, add or drop some." });
    const remove = button("Remove", () => removeCurrent(), { title: "Remove (Delete, Backspace or x)" });
    const moveTo = h("select", { title: "Move to another label (its digit)" });
    moveTo.onchange = () => {
      if (moveTo.value) moveCurrent(moveTo.value);
      moveTo.value = "";
    };
    const credit = h("span", { className: "tlb-credit tlb-muted" });
    const before = button("‹", () => turn(-1), { "aria-label": "Newer pictures", title: "Newer pictures (PageUp)" });
    const pageText = h("span", { className: "tlb-muted" });
    const after = button("›", () => turn(1), { "aria-label": "Older pictures", title: "Older pictures (PageDown)" });
    const pager = h("span", { className: "tlb-pager" }, before, pageText, after);
    const tools = h("div", { className: "tlb-tools", role: "toolbar" }, remove, moveTo, credit, pager);
    const skipped = h("details", { className: "tlb-skips" }, h("summary"), h("ul"));
    const cameraPlace = h("div");

    const section = h(
      "section",
      { className: "tlb-label" },
      h("div", { className: "tlb-row" }, digit, name, countText, bar, drop),
      h(
        "div",
        { className: "tlb-row tlb-how" },
        labelled("From", source),
        whereField,
        queryField,
        labelled("Up to", number),
        collect,
        h("span", { className: "tlb-acts" }, addFiles, cameraButton),
        picker,
      ),
      cameraPlace,
      empty,
      grid,
      tools,
      skipped,
    );

    // Files dropped anywhere on the section. dragleave also fires between its children, hence the count.
    let inside = 0;
    const mark = () => section.classList.toggle("tlb-drop", inside > 0);
    const dragged = (event) => event.dataTransfer?.types.includes("Files");
    section.ondragenter = (event) => dragged(event) && (event.preventDefault(), inside++, mark());
    section.ondragover = (event) => dragged(event) && event.preventDefault();
    section.ondragleave = (event) => dragged(event) && ((inside = Math.max(0, inside - 1)), mark());
    section.ondrop = (event) => {
      if (!dragged(event)) return;
      event.preventDefault();
      event.stopPropagation();
      inside = 0;
      mark();
      sendFiles(now().name, [...event.dataTransfer.files]);
    };

    // ---- its pictures

    let current = null; // the name of the picture that keys and tools are for
    const options = () => [...grid.children];
    const index = () => options().findIndex((one) => one.dataset.name === current);
    function choose(node, focus = true) {
      if (!node) return;
      current = node.dataset.name;
      mend();
      if (focus) node.focus();
    }
    function mend() {
      const shown = options();
      if (!shown.some((one) => one.dataset.name === current)) current = null;
      shown.forEach((one, place) => {
        const mine = one.dataset.name === current;
        one.setAttribute("aria-selected", String(mine));
        one.tabIndex = mine || (current === null && place === 0) ? 0 : -1;
      });
      remove.disabled = moveTo.disabled = current === null;
      const picture = now()?.pictures.find((one) => one.name === current);
      set(credit, "textContent", picture?.credit ?? "");
    }
    function removeCurrent() {
      if (current) ask({ do: "remove", picture: current });
    }
    function moveCurrent(label) {
      if (current && label !== now().name) ask({ do: "move", picture: current, label });
    }
    let turned = false; // then the first picture of the new page takes the focus
    function turn(by) {
      const number = now().page + by;
      if (number < 1 || number > now().pages) return;
      turned = grid.contains(active());
      ask({ do: "page", label: now().name, number });
    }
    const active = () => el.getRootNode().activeElement ?? document.activeElement;

    grid.onclick = (event) => choose(event.target.closest("[role=option]"));
    grid.addEventListener("focusin", (event) => choose(event.target.closest("[role=option]"), false));
    grid.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const shown = options();
      const at = index();
      const columns = shown.filter((one) => one.offsetTop === shown[0].offsetTop).length;
      const to = (place) => choose(shown[Math.max(0, Math.min(shown.length - 1, place))]);
      const act = {
        ArrowRight: () => to(at + 1),
        ArrowLeft: () => to(at - 1),
        ArrowDown: () => at + columns < shown.length && to(at + columns),
        ArrowUp: () => at - columns >= 0 && to(at - columns),
        Home: () => to(0),
        End: () => to(shown.length - 1),
        PageUp: () => turn(-1),
        PageDown: () => turn(1),
        Delete: removeCurrent,
        Backspace: removeCurrent,
        x: removeCurrent,
      }[event.key];
      const label = /^[1-9]$/.test(event.key) && state().labels[Number(event.key) - 1];
      if (!act && !label) return;
      event.preventDefault();
      event.stopPropagation();
      if (act) act();
      else moveCurrent(label.name);
    };

    function showPictures(row) {
      const focused = grid.contains(active());
      const place = index();
      const there = new Map(options().map((one) => [one.dataset.name, one]));
      const wanted = row.pictures.map((picture) => {
        let node = there.get(picture.name);
        if (!node) {
          node = h("div", { className: "tlb-picture", role: "option" }, h("img", { draggable: false }));
          node.dataset.name = picture.name;
        }
        there.delete(picture.name);
        set(node.firstChild, "alt", picture.alt);
        set(node, "title", picture.credit);
        const url = urls.get(picture.name);
        if (url) set(node.firstChild, "src", url);
        return node;
      });
      const lost = focused && there.has(current);
      for (const node of there.values()) node.remove();
      wanted.forEach((node, at) => grid.children[at] !== node && grid.insertBefore(node, grid.children[at] ?? null));
      if ((lost || turned) && wanted.length) choose(wanted[turned ? 0 : Math.min(place, wanted.length - 1)]);
      else if (lost) addFiles.focus();
      else if (focused && current && active() !== wanted[index()]) wanted[index()]?.focus(); // it was moved along
      turned = false;
      mend();
    }

    // ---- the camera

    async function toggleCamera() {
      if (opening) return;
      if (camera?.section === section) return closeCamera();
      closeCamera();
      if (!navigator.mediaDevices?.getUserMedia) {
        const why = window.isSecureContext
          ? "This browser gives no camera to this page."
          : "Browsers give the camera only to pages from https or localhost: open the notebook there.";
        return say(`${why} Or add files that a phone took.`, true);
      }
      let stream;
      opening = true;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: 1280 } });
      } catch (error) {
        return say(CAMERA_TROUBLE[error.name] ?? `The camera did not open (${error.message || error.name}).`, true);
      } finally {
        opening = false;
      }
      if (!section.isConnected) return stream.getTracks().forEach((track) => track.stop());
      const video = h("video", { autoplay: true, muted: true, playsInline: true, srcObject: stream });
      video.setAttribute("aria-label", "What the camera sees");
      const shutter = button("Hold to record", () => {}, { className: "tlb-shutter" });
      const taken = h("span", { className: "tlb-muted", textContent: "Held, it takes five pictures a second." });
      const close = button("Close camera", () => closeCamera(true));
      const view = h("div", { className: "tlb-camera" }, video, h("div", {}, shutter, taken, close));
      const canvas = h("canvas");
      let holding = ""; // the recording under way
      let single = ""; // the recording of pictures that are taken one by one
      let count = 0;

      async function take(recording) {
        const scale = Math.min(1, FRAME / Math.max(video.videoWidth, video.videoHeight));
        if (!video.videoWidth) return;
        canvas.width = Math.round(video.videoWidth * scale);
        canvas.height = Math.round(video.videoHeight * scale);
        canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
        const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
        const frame = await blob.arrayBuffer();
        taken.textContent = `${many(++count)} taken`;
        await answered({ do: "capture", label: now().name, recording }, [frame]);
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
      function release() {
        holding = "";
        shutter.classList.remove("tlb-held");
      }
      const isKey = (event) => event.key === " " || event.key === "Enter";
      shutter.onpointerdown = (event) => event.button === 0 && (shutter.setPointerCapture(event.pointerId), hold());
      shutter.onpointerup = shutter.onpointercancel = shutter.onblur = release;
      shutter.oncontextmenu = (event) => event.preventDefault(); // a long touch is no menu
      shutter.onkeydown = (event) => isKey(event) && (event.preventDefault(), event.stopPropagation(), hold());
      shutter.onkeyup = (event) => isKey(event) && (event.preventDefault(), release());
      shutter.onclick = (event) => {
        // A screen reader's click has no pointer that is held: it takes one picture.
        if (event.detail === 0 && !holding) {
          take((single ||= `${id}-${Date.now()}`));
        }
      };
      camera = { section, release, stream, view, button: cameraButton };
      cameraPlace.append(view);
      cameraButton.setAttribute("aria-expanded", "true");
      shutter.focus({ preventScroll: true });
    }

    // ---- from the state

    function show(row, place, all) {
      set(digit, "textContent", place < 9 ? String(place + 1) : "");
      digit.hidden = place > 8;
      digit.title = `Key ${place + 1} moves a picture here`;
      section.setAttribute("aria-label", `Label ${row.name}`);
      name.setAttribute("aria-label", `Name of label ${place + 1}`);
      if (active() !== name) set(name, "value", row.name);
      set(countText, "textContent", many(row.count));
      const most = Math.max(state().enough, ...all.map((one) => one.count));
      bar.firstChild.style.width = `${(100 * row.count) / most}%`;
      bar.classList.toggle("tlb-enough", row.count >= state().enough);
      drop.setAttribute("aria-label", `Remove the label ${row.name}`);
      drop.title = `Remove the label ${row.name}`;

      setOptions(source, state().sources.map((one) => [one.name, one.title]));
      const kind = state().sources.find((one) => one.name === row.source);
      set(source, "value", row.source);
      source.title = kind.help;
      whereField.hidden = !kind.where;
      where.placeholder = kind.where;
      where.title = kind.help;
      queryField.firstChild.textContent = kind.where ? "Called there" : row.source === "rendered" ? "Draw" : "Search for";
      query.placeholder = row.name;
      for (const [input, value] of [[where, row.where], [query, row.query], [number, String(row.n)]])
        if (active() !== input) set(input, "value", value);
      set(collect, "textContent", row.busy ? "Stop" : "Collect");
      collect.classList.toggle("tlb-main", !row.busy);
      collect.setAttribute("aria-label", `${row.busy ? "Stop collecting" : "Collect"} ${row.name}`);
      addFiles.setAttribute("aria-label", `Add files to ${row.name}`);
      cameraButton.setAttribute("aria-label", `Camera for ${row.name}`);
      picker.setAttribute("aria-label", `Files for ${row.name}`);

      grid.setAttribute("aria-label", `Pictures of ${row.name}`);
      tools.setAttribute("aria-label", `The chosen picture of ${row.name}`);
      grid.hidden = tools.hidden = row.count === 0;
      empty.hidden = row.count > 0;
      const others = all.map((one, at) => [one, at]).filter(([one]) => one.id !== id);
      const listed = others.map(([one, at]) => [one.name, at < 9 ? `${at + 1}  ${one.name}` : one.name]);
      setOptions(moveTo, [["", "Move to …"], ...listed]);
      moveTo.hidden = others.length === 0;
      moveTo.setAttribute("aria-label", `Move the chosen picture of ${row.name} to`);
      showPictures(row);
      pager.hidden = row.pages < 2;
      set(pageText, "textContent", `${row.page} of ${row.pages}`);
      before.disabled = row.page <= 1;
      after.disabled = row.page >= row.pages;

      skipped.hidden = row.skips.length === 0;
      const skips = row.skips.reduce((sum, [, n]) => sum + n, 0);
      set(skipped.firstChild, "textContent", `${many(skips)} passed over`);
      const items = row.skips.map(([why, n, names]) => `${n} × ${why}: ${n > names.length ? "… " : ""}${names.join(", ")}`);
      if (skipped.lastChild.dataset.items !== JSON.stringify(items)) {
        skipped.lastChild.dataset.items = JSON.stringify(items);
        skipped.lastChild.replaceChildren(...items.map((text) => h("li", { textContent: text })));
      }
    }
    return { node: section, show };
  }

  function closeCamera(focus = false) {
    if (!camera) return;
    camera.release();
    camera.stream.getTracks().forEach((track) => track.stop());
    camera.view.remove();
    camera.button.setAttribute("aria-expanded", "false");
    if (focus) camera.button.focus();
    camera = null;
  }

  // ---- files --------------------------------------------------------------------------------------------------------

  async function sendFiles(label, files) {
    for (const [place, file] of files.entries()) {
      say(`Sending ${place + 1} of ${many(files.length, "file")} …`);
      for (let offset = 0; offset === 0 || offset < file.size; offset += CHUNK) {
        let data;
        try {
          data = await file.slice(offset, offset + CHUNK).arrayBuffer();
        } catch {
          say(`${file.name} cannot be read: is it a folder? Drop pictures or a zip.`, true);
          break;
        }
        const chunk = { do: "_chunk", label, name: file.name, size: file.size, offset };
        if (!(await answered(chunk, [data]))) break;
      }
    }
  }

  // ---- from the kernel ----------------------------------------------------------------------------------------------

  const asked = new Set();
  function show() {
    const { labels, ...rest } = state();
    set(title, "textContent", rest.folder);
    set(total, "textContent", many(labels.reduce((sum, row) => sum + row.count, 0)));
    set(advice, "textContent", rest.advice);
    for (const [id, section] of sections) {
      if (labels.some((row) => row.id === id)) continue;
      const focused = section.node.contains(el.getRootNode().activeElement);
      if (camera?.section === section.node) closeCamera();
      section.node.remove();
      sections.delete(id);
      if (focused) newName.focus();
    }
    labels.forEach((row, place) => {
      if (!sections.has(row.id)) sections.set(row.id, makeSection(row.id));
      const section = sections.get(row.id);
      if (list.children[place] !== section.node) list.insertBefore(section.node, list.children[place] ?? null);
      section.show(row, place, labels);
    });
    const shown = labels.flatMap((row) => row.pictures.map((picture) => picture.name));
    const missing = shown.filter((name) => !urls.has(name) && !asked.has(name));
    for (let at = 0; at < missing.length; at += 24) {
      const names = missing.slice(at, at + 24);
      names.forEach((name) => asked.add(name));
      answered({ do: "thumbnails", names }).then((good) => good || names.forEach((name) => asked.delete(name)));
    }
    if (urls.size > 600) {
      for (const [name, url] of urls) {
        if (shown.includes(name)) continue;
        URL.revokeObjectURL(url);
        urls.delete(name);
        asked.delete(name);
      }
    }
  }

  let heardSaying = -1; // what the page itself said stays until the kernel says something new
  function shown() {
    show();
    const { status, alert, said } = state();
    if (said !== heardSaying) say(status, alert);
    heardSaying = said;
  }

  function heard(message, buffers) {
    if (message.ack !== undefined) {
      waiting.get(message.ack)?.(message.good);
      waiting.delete(message.ack);
    }
    (message.thumbnails ?? []).forEach((name, place) => {
      urls.set(name, URL.createObjectURL(new Blob([buffers[place]], { type: "image/jpeg" })));
      for (const node of list.querySelectorAll(".tlb-picture"))
        if (node.dataset.name === name) node.firstChild.src = urls.get(name);
    });
  }

  shown();
  return mount({ model, el }, root, { "change:_state": shown, "msg:custom": heard }, () => {
    closeCamera();
    clearTimeout(saying);
    urls.forEach((url) => URL.revokeObjectURL(url));
  });
}

export default { render };
