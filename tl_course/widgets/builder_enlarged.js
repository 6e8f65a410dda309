// One image, large: space or a double click opens it, arrows go on to the next, Escape closes it.

function makeEnlarged(page) {
  const image = h("img", { draggable: false });
  const caption = h("p", { className: "tlb-caption", dir: "auto" });
  const before = button("‹", () => step(-1), { "aria-label": "The image before", title: "The image before (←)" });
  const after = button("›", () => step(1), { "aria-label": "The next image", title: "The next image (→)" });
  const remove = button("Remove", () => page.ask({ do: "remove", images: [name] }), { title: "Remove (Delete, Backspace or x)" });
  const moveTo = h("select", { "aria-label": "Move this image to", title: "Move to another label (its digit)" });
  moveTo.onchange = () => {
    if (moveTo.value) page.ask({ do: "move", images: [name], label: moveTo.value });
    moveTo.value = "";
  };
  const close = button("Close", () => dialog.close(), { title: "Close (Escape)" });
  const dialog = h(
    "dialog",
    { className: "tlb-large", "aria-label": "One image, large" },
    h("div", { className: "tlb-stage" }, image),
    caption,
    h("div", { className: "tlb-row" }, before, after, remove, moveTo, h("span", { className: "tlb-acts" }, close)),
  );
  let [id, name, place, url, coming] = [0, "", 0, "", ""];
  const row = () => page.state().labels.find((one) => one.id === id);

  function show() {
    const { images = [], name: label } = row() ?? {};
    if (!images.length) return dialog.close();
    const at = images.findIndex((one) => one.name === name);
    place = at >= 0 ? at : Math.min(place, images.length - 1); // it was taken away: the next one moved up
    const one = images[place];
    before.disabled = place === 0;
    after.disabled = place === images.length - 1;
    const others = page.state().labels.map((each, number) => [each, number]).filter(([each]) => each.id !== id);
    setOptions(moveTo, [["", "Move to …"], ...others.map(([each, number]) => [each.name, number < 9 ? `${number + 1}  ${each.name}` : each.name])]);
    moveTo.hidden = others.length === 0;
    set(caption, "textContent", [`${place + 1} of ${images.length}`, label, one.credit].filter(Boolean).join(" · "));
    if (one.name === name && image.alt === one.alt && url) return;
    const same = one.name === name && url;
    name = one.name;
    image.alt = one.alt;
    if (!same && coming !== name) bring(name);
  }
  async function bring(wanted) {
    coming = wanted;
    image.onload = null;
    image.src = page.urls.get(wanted) ?? ""; // small and blurred, until the large one is there
    image.classList.add("tlb-coming");
    const answer = await page.answered({ do: "_large", name: wanted });
    if (coming === wanted) coming = "";
    if (!answer || wanted !== name || !dialog.open) return;
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([answer.buffers[0]], { type: "image/jpeg" }));
    image.onload = () => (image.style.width = `${2 * image.naturalWidth}px`); // a small one is not blown up into blur
    image.src = url;
    image.classList.remove("tlb-coming");
  }
  function step(by) {
    const { images } = row();
    const next = images[place + by];
    if (!next) return;
    place += by;
    name = next.name;
    forget();
    show();
  }
  function forget() {
    if (url) URL.revokeObjectURL(url);
    url = "";
  }
  dialog.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const label = /^[1-9]$/.test(event.key) && page.state().labels[Number(event.key) - 1];
    const act = {
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      Delete: () => remove.click(),
      Backspace: () => remove.click(),
      x: () => remove.click(),
      u: () => page.ask({ do: "undo" }),
    }[event.key];
    event.stopPropagation();
    if (event.target.closest("select")) return;
    if (event.key === " " && !event.target.closest("button")) return event.preventDefault(), dialog.close();
    if (act) act();
    else if (label && label.id !== id) page.ask({ do: "move", images: [name], label: label.name });
    else return;
    event.preventDefault();
  };
  dialog.onclick = (event) => event.target === dialog && dialog.close(); // beside the image
  dialog.onclose = () => {
    const last = name;
    forget();
    name = "";
    page.sections.get(id)?.gallery.focusOn(last);
  };
  function open(label, which) {
    [id, name] = [label, which];
    forget();
    if (!dialog.open) dialog.showModal();
    show();
    close.focus();
  }
  return { dialog, open, show: () => dialog.open && show(), end: forget };
}
