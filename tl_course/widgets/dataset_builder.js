// The page of the data-set builder. It shows `_state` and asks the kernel for whatever a click or a key means; it
// decides nothing about the data set itself.

const CHUNK = 512 * 1024; // Jupyter closes the connection on messages of more than 10 MB

function render({ model, el }) {
  const waiting = new Map(); // what the kernel has not answered yet
  let serial = 0;
  const page = {
    idBase: `tlb-${Math.random().toString(36).slice(2, 8)}`,
    urls: new Map(), // object URLs of thumbnails, by image
    sections: new Map(), // by the id of a label
    dragging: null, // the images that the mouse carries
    state: () => model.get("_state"),
    many: (n) => many(n, "image"),
    active: () => el.getRootNode().activeElement ?? document.activeElement,
    ask: (what, buffers) => model.send(what, undefined, buffers),
    /** What the kernel answers, {message, buffers}; false where it refused. */
    answered: (what, buffers) =>
      new Promise((resolve) => {
        const ack = `${page.idBase}-${serial++}`;
        waiting.set(ack, resolve);
        page.ask({ ...what, ack }, buffers);
      }),
    onlyHere: (clear) => {
      for (const { gallery } of page.sections.values()) if (gallery.clear !== clear) gallery.clear();
    },
    endDrag: () => page.sections.forEach((section) => section.unmark()),
  };

  // ---- the frame ----------------------------------------------------------------------------------------------------

  const title = h("span", { className: "tlb-title", dir: "auto" });
  const total = h("span", { className: "tlb-muted tlb-kept" });
  const undo = button("Undo", () => page.ask({ do: "undo" }), { title: "Take the last step back (key u)" });
  const download = button("Download zip", () => pack(), { title: "All images, their labels, and whom to thank, as one zip" });
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const list = h("div", { className: "tlb-list" });
  const training = makeTraining(page);
  const enlarged = makeEnlarged(page);
  page.enlarge = enlarged.open;

  const newName = h("input", { type: "text", placeholder: "such as cat", id: `${page.idBase}-new`, dir: "auto", autocomplete: "off" });
  const addField = wire(newName, {
    check: (text) => text.trim() && labelTrouble(text, page.state().labels.map((row) => row.name), page.state().limits.name),
    commit: () => true,
  });
  const addForm = h(
    "form",
    {
      className: "tlb-add",
      onsubmit: async (event) => {
        event.preventDefault();
        const name = newName.value;
        if (addField.trouble()) return newName.focus();
        if (!name.trim()) {
          set(addField.wrong, "textContent", "Write a name first, such as cat.");
          return newName.focus();
        }
        if (await page.answered({ do: "add_label", name })) addField.back();
      },
    },
    h("label", { for: newName.id, textContent: "New label" }),
    newName,
    h("button", { type: "submit", textContent: "Add label" }),
    addField.wrong,
  );
  const root = (page.root = h(
    "div",
    // Keys without Ctrl, Alt or Cmd stay in here: in JupyterLab "x" would cut the cell, and "d", "d" delete it.
    { className: "tlb", tabIndex: -1, role: "region", "aria-label": "Data-set builder", onkeydown: keydown },
    h("div", { className: "tlb-head" }, title, total, h("span", { className: "tlb-acts" }, undo, download)),
    h("div", { className: "tlb-said" }, polite, alarm),
    training.node,
    list,
    addForm,
    enlarged.dialog,
  ));
  page.camera = oneCamera(() => root.isConnected);
  root.addEventListener("connection", (event) => event.detail === "off" && page.camera.close());

  function keydown(event) {
    const typing = event.target.closest("input, select, textarea");
    const mod = event.ctrlKey || event.metaKey;
    const undoes = mod ? event.key === "z" && !event.shiftKey : event.key === "u";
    if (!typing && !event.altKey && undoes) {
      event.preventDefault();
      event.stopPropagation();
      page.ask({ do: "undo" });
    } else if (!mod && !event.altKey) event.stopPropagation();
  }

  let saidAt = 0;
  let saying = 0;
  /** To everybody where `about` is 0; what a label's panel or the training shows is only spoken here. */
  function speak(text, alert, about) {
    clearTimeout(saying);
    for (const line of [polite, alarm]) line.classList.toggle("tlb-unseen", about !== 0);
    set(alarm, "textContent", alert ? text : "");
    const calm = () => {
      saidAt = Date.now();
      set(polite, "textContent", alert ? "" : text);
    };
    // A screen reader would stumble over five sentences a second.
    if (alert) calm();
    else saying = setTimeout(calm, Math.max(0, 700 - (Date.now() - saidAt)));
  }
  page.say = (text, alert = false, about = 0) => {
    page.sections.get(about)?.say(text, alert);
    speak(text, alert, about);
  };
  page.announce = (text) => speak(text, false, -1);

  // ---- files --------------------------------------------------------------------------------------------------------

  page.sendFiles = async (id, files) => {
    const name = () => page.state().labels.find((row) => row.id === id)?.name;
    const batch = `${page.idBase}-${serial++}`;
    for (const [place, file] of files.entries()) {
      page.sections.get(id)?.say(`Sending ${place + 1} of ${many(files.length, "file")} …`);
      for (let offset = 0; offset === 0 || offset < file.size; offset += CHUNK) {
        let data;
        try {
          data = await file.slice(offset, offset + CHUNK).arrayBuffer();
        } catch {
          page.say(`${file.name} cannot be read: is it a folder? Drop images or a zip.`, true, id);
          break;
        }
        if (!name()) return;
        const chunk = { do: "_chunk", label: name(), name: file.name, size: file.size, offset, batch };
        if (!(await page.answered(chunk, [data]))) break;
      }
    }
  };

  let wantsZip = false;
  function pack() {
    wantsZip = download.disabled = true;
    set(download, "textContent", "Packing …");
    page.ask({ do: "_pack" });
  }
  async function takeZip(zip) {
    if (!wantsZip) return; // another view of this page asked for it
    wantsZip = false;
    const parts = [];
    let have = 0;
    while (zip && !zip.large && have < zip.size) {
      set(download, "textContent", `Downloading, ${Math.round((100 * have) / zip.size)}% …`);
      const answer = await page.answered({ do: "_part", offset: have });
      if (!answer) break;
      parts.push(answer.buffers[0]);
      have += answer.buffers[0].byteLength;
    }
    if (zip && have === zip.size) {
      const url = URL.createObjectURL(new Blob(parts, { type: "application/zip" }));
      const link = h("a", { href: url, download: zip.name, hidden: true });
      root.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(url), 60000);
    }
    download.disabled = false;
    set(download, "textContent", "Download zip");
  }

  // ---- from the kernel ----------------------------------------------------------------------------------------------

  const asked = new Set();
  function show() {
    const { labels, ...rest } = page.state();
    const count = labels.reduce((sum, row) => sum + row.count, 0);
    set(title, "textContent", rest.folder);
    set(total, "textContent", `${page.many(count)}, kept on disk as they come`);
    total.title = `In ${rest.path}. Nothing needs to be saved.`;
    if (!wantsZip && !download.textContent.includes("…")) download.disabled = count === 0;
    training.show(page.state());
    for (const [id, section] of page.sections) {
      if (labels.some((row) => row.id === id)) continue;
      const focused = section.node.contains(page.active());
      if (section.hasCamera()) page.camera.close();
      section.gallery.end();
      section.node.remove();
      page.sections.delete(id);
      if (focused) newName.focus();
    }
    labels.forEach((row, place) => {
      if (!page.sections.has(row.id)) page.sections.set(row.id, makeSection(page, row.id));
      const section = page.sections.get(row.id);
      if (list.children[place] !== section.node) list.insertBefore(section.node, list.children[place] ?? null);
      section.show(row, place, labels);
    });
    enlarged.show();
    bringThumbnails(labels.flatMap((row) => row.images.map((image) => image.name)));
  }

  function bringThumbnails(shown) {
    const missing = shown.filter((name) => !page.urls.has(name) && !asked.has(name));
    for (let at = 0; at < missing.length; at += 24) {
      const names = missing.slice(at, at + 24);
      names.forEach((name) => asked.add(name));
      page.answered({ do: "thumbnails", names }).then((good) => good || names.forEach((name) => asked.delete(name)));
    }
    if (page.urls.size <= 600) return;
    for (const [name, url] of page.urls) {
      if (shown.includes(name)) continue;
      URL.revokeObjectURL(url);
      page.urls.delete(name);
      asked.delete(name);
    }
  }

  let heardSaying = -1; // what the page itself said stays until the kernel says something new
  function shown() {
    show();
    const { status, alert, said, about } = page.state();
    if (said !== heardSaying) speak(status, alert, about);
    heardSaying = said;
  }

  function heard(message, buffers) {
    if (message.ack !== undefined) {
      waiting.get(message.ack)?.(message.good && { message, buffers });
      waiting.delete(message.ack);
    }
    if (message.zip !== undefined) takeZip(message.zip);
    (message.thumbnails ?? []).forEach((name, place) => {
      if (page.urls.has(name)) return; // another view of this page asked too
      page.urls.set(name, URL.createObjectURL(new Blob([buffers[place]], { type: "image/jpeg" })));
      for (const image of list.querySelectorAll(".tlb-image"))
        if (image.dataset.name === name) image.firstChild.src = page.urls.get(name);
    });
  }

  shown();
  return mount({ model, el }, root, { "change:_state": shown, "msg:custom": heard }, () => {
    page.camera.close();
    clearTimeout(saying);
    training.end();
    enlarged.end();
    page.sections.forEach((section) => section.gallery.end());
    page.urls.forEach((url) => URL.revokeObjectURL(url));
  });
}

export default { render };
