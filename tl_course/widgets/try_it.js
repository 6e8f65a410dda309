// The page on which a classifier is tried: `_state` has the answer, `_view` the picture. Files travel in parts, frames of
// the camera one at a time.

const CHUNK = 512 * 1024; // Jupyter closes the connection on messages of more than 10 MB
const FRAME = 448; // pixels of a frame's longer side: the model looks at half as many
const percent = (share) => `${(100 * share).toFixed(1)}%`;

function render({ model, el }) {
  const state = () => model.get("_state");
  const answered = asker(model);
  const idBase = `tlt-${Math.random().toString(36).slice(2, 8)}`;

  const picker = h("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1, "aria-label": "A picture to try" });
  picker.onchange = () => send([...picker.files]).then(() => (picker.value = ""));
  const choose = button("Choose a picture", () => picker.click());
  const look = button("Camera", () => toggle(), { "aria-expanded": "false", "aria-controls": `${idBase}-sight` });
  const pace = h("span", { className: "tlb-muted tlt-pace" });
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const picture = h("img", { className: "tlt-picture", draggable: false });
  const name = h("figcaption", { className: "tlb-muted tlt-name" });
  const empty = h("p", { className: "tlb-muted tlt-empty", textContent: "Drop a photo here, paste one, choose a file, or open the camera." });
  const camera = makeCamera({ longest: FRAME, quality: 0.85, ended: (why) => (close(), say(why, true)) });
  camera.video.className = "tlt-picture";
  const sight = h("figure", { className: "tlt-sight", id: `${idBase}-sight` }, empty, picture, camera.video, name);
  crisp(picture, sight);
  const body = h("tbody");
  const more = h("p", { className: "tlb-muted" });
  const table = h("table", { className: "tlt-bars", "aria-label": "Probability of each label" }, body);
  const root = h(
    "div",
    // Keys without Ctrl, Alt or Cmd stay in here: in JupyterLab "x" would cut the cell. Focus lets a paste come here.
    { className: "tlb tlt", tabIndex: 0, role: "region", "aria-label": "Try the model" },
    h("div", { className: "tlb-head" }, h("span", { className: "tlb-title", textContent: "Try it" }), pace, h("span", { className: "tlb-acts" }, choose, look, picker)),
    h("div", { className: "tlb-said" }, polite, alarm),
    h("div", { className: "tlt-main" }, sight, h("div", { className: "tlt-answer" }, table, more)),
  );
  root.onkeydown = (event) => event.ctrlKey || event.metaKey || event.altKey || event.stopPropagation();

  function say(text, alert = false) {
    set(alarm, "textContent", alert ? text : "");
    set(polite, "textContent", alert ? "" : text);
  }

  // ---- files --------------------------------------------------------------------------------------------------------

  async function send([file, ...others]) {
    if (!file) return;
    close();
    say(`Sending ${file.name} …`);
    for (let offset = 0; offset === 0 || offset < file.size; offset += CHUNK) {
      let data;
      try {
        data = await file.slice(offset, offset + CHUNK).arrayBuffer();
      } catch {
        return say(`${file.name} cannot be read: is it a folder? Hand over one picture.`, true);
      }
      const { good } = await answered({ do: "_chunk", name: file.name, size: file.size, offset }, [data]);
      if (!good) return;
    }
    if (others.length) say(`${polite.textContent} One at a time: ${many(others.length, "other file")} left out.`);
  }
  function handed(event, data, otherwise) {
    const files = [...(data?.files ?? [])];
    if (!files.length && !otherwise) return;
    event.preventDefault();
    event.stopPropagation();
    if (files.length) send(files);
    else say(otherwise, true);
  }
  let inside = 0; // dragleave also fires between children
  const mark = () => root.classList.toggle("tlt-drop", inside > 0);
  root.ondragenter = (event) => (event.preventDefault(), inside++, mark());
  root.ondragover = (event) => event.preventDefault();
  root.ondragleave = () => ((inside = Math.max(0, inside - 1)), mark());
  root.ondrop = (event) => {
    inside = 0;
    mark();
    handed(event, event.dataTransfer, "That was no file. Save the picture first, then drop it here.");
  };
  root.onpaste = (event) => handed(event, event.clipboardData, "There was no picture to paste. Copy one, not its address.");

  // ---- the camera ---------------------------------------------------------------------------------------------------

  let live = null;
  let paced = 0;
  async function toggle() {
    if (live) {
      close();
      model.send({ do: "stop" });
      return;
    }
    say("");
    try {
      await camera.open();
    } catch (error) {
      return say(error.message, true);
    }
    if (!camera.isOpen()) return; // closed while the browser asked
    live = follow(camera, (jpeg) => answered({ do: "see" }, [jpeg]));
    paced = setInterval(keepPace, 500);
    keepPace();
    show();
  }
  function keepPace() {
    const rate = live.rate();
    const took = state().milliseconds;
    set(pace, "textContent", rate ? `live, ${rate.toFixed(1)} frames a second; the model takes ${took} ms` : "live");
  }
  function close() {
    live?.stop();
    live = null;
    clearInterval(paced);
    camera.close();
    set(pace, "textContent", "");
    show();
  }
  root.addEventListener("connection", (event) => event.detail === "off" && close());

  // ---- from the kernel ----------------------------------------------------------------------------------------------

  let url = "";
  function view() {
    const data = model.get("_view");
    if (url) URL.revokeObjectURL(url);
    url = data?.byteLength ? URL.createObjectURL(new Blob([data], { type: "image/jpeg" })) : "";
    if (url) picture.src = url;
    show();
  }

  let heard = -1;
  function show() {
    const now = state();
    const rows = now.rows ?? [];
    const on = Boolean(live);
    set(look, "textContent", on ? "Stop camera" : "Camera");
    look.setAttribute("aria-expanded", String(on));
    camera.video.hidden = !on;
    picture.hidden = on || !url;
    empty.hidden = on || Boolean(url);
    set(picture, "alt", rows.length ? `${now.name}, which the model calls ${rows[0][0]}` : "");
    set(name, "textContent", on || !url ? "" : now.name);
    while (body.rows.length > rows.length) body.lastElementChild.remove();
    while (body.rows.length < rows.length) {
      const bar = h("td", { className: "tlt-bar", "aria-hidden": "true" }, h("span"));
      body.append(h("tr", {}, h("th", { scope: "row" }, h("span")), bar, h("td")));
    }
    rows.forEach(([label, share], at) => {
      const [head, bar, number] = body.rows[at].cells;
      set(head.firstChild, "textContent", label);
      bar.firstChild.style.width = percent(share);
      set(number, "textContent", percent(share));
    });
    set(more, "textContent", now.more ? `and ${many(now.more, "label")} less probable` : "");
    if (now.said !== heard && now.said !== undefined) say(now.status, now.alert);
    heard = now.said;
  }

  view();
  return mount({ model, el }, root, { "change:_state": show, "change:_view": view }, () => {
    close();
    if (url) URL.revokeObjectURL(url);
  });
}

export default { render };
