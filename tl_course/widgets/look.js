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

/** Show a small image in its `box` as large as whole multiples of its pixels fit, at most eight, and never blurred. */
function crisp(image, box) {
  image.addEventListener("load", () => {
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    const fits = Math.floor(Math.min(box.clientWidth / width, box.clientHeight / height) || 1);
    image.style.imageRendering = fits > 1 ? "pixelated" : "";
    image.style.width = fits >= 1 ? `${width * Math.min(8, fits)}px` : "";
  });
}

/** A function that asks the kernel and promises its answer, which carries the `ack` of the question. */
function asker(model) {
  const me = Math.random().toString(36).slice(2, 10);
  const waiting = new Map();
  let serial = 0;
  model.on("msg:custom", (message) => {
    waiting.get(message?.ack)?.(message);
    waiting.delete(message?.ack);
  });
  return (what, buffers) =>
    new Promise((resolve) => {
      const ack = `${me}-${serial++}`;
      waiting.set(ack, resolve);
      model.send({ ...what, ack }, undefined, buffers);
    });
}

// ---- whether the kernel is there ----------------------------------------------------------------------------------

const PING = 4000; // milliseconds between two questions, while somebody looks
const PATIENCE = 6500; // without any sign of the kernel; it speaks up every two seconds while it is busy
const BUSY = 3000; // without an answer, until the page says that the kernel has something else to do
const UNUSED = 300000; // without a hand on mouse or keys: then nothing is asked, and the server may end what is idle

/** Call `tell("on" | "busy" | "off", whether it was ever on)` as it changes, until what is returned is called. */
function watch({ model, el }, tell) {
  const me = Math.random().toString(36).slice(2, 10);
  let [state, ever, serial, pause] = ["", false, 0, PING];
  let [asked, heard, next, ticked, used] = [0, 0, 0, Date.now(), Date.now()]; // times; `asked` is 0 once answered
  let known = true; // whether the class below means what it says
  const gone = () => known && Boolean(el.closest(".jupyter-widgets-disconnected")); // ipywidgets' own word

  function become(now) {
    if (now !== state) tell((state = now), ever);
  }
  function ping() {
    asked ||= Date.now();
    next = Date.now() + pause;
    model.send({ do: "_ping", number: `${me}-${++serial}` });
  }
  function hear(message) {
    if (message?.alive === undefined) return;
    [ever, heard] = [true, Date.now()];
    const answer = message.alive === `${me}-${serial}`;
    if (answer && gone()) known = false;
    if (answer) [asked, pause] = [0, PING];
    if (answer) become("on");
    else if (state === "off" || (asked && heard - asked > BUSY)) become("busy");
  }
  function tick() {
    const now = Date.now();
    if (now - ticked > 4000) [asked, heard] = [0, now]; // the computer slept: ask again before judging
    ticked = now;
    if (gone()) return become("off");
    const looked = document.visibilityState === "visible" && now - used < UNUSED;
    if (!looked) asked = 0;
    if (asked && now - Math.max(asked, heard) > PATIENCE) {
      become("off");
      pause = Math.min(2 * pause, 60000);
    }
    if (looked && now >= next && (!asked || state === "off")) ping();
  }
  const use = () => (used = Date.now());
  const signs = ["pointermove", "keydown", "visibilitychange"];
  for (const sign of signs) document.addEventListener(sign, use, { passive: true, capture: true });
  model.on("msg:custom", hear);
  const timer = setInterval(tick, 1000);
  tick();
  return () => {
    clearInterval(timer);
    model.off("msg:custom", hear);
    for (const sign of signs) document.removeEventListener(sign, use, { capture: true });
  };
}

const GONE = "Not connected, run the cell again. The kernel behind this page was restarted or has ended; shown is how things were.";
const AT_WORK = "The kernel is busy. What you click is done when it has finished.";

/**
 * Put the root into the page and call each handler whenever its event comes, until what is returned is called.
 *
 * While the page lives, the still view below it is hidden. When the kernel has gone, everything in the root is disabled
 * and says so; a page that never had one gives way to the still view. The root hears "connection" with "on", "busy" or
 * "off" as its detail, for what has to be let go of besides, such as a camera.
 */
function mount({ model, el }, root, handlers, end) {
  const still = model.get("_still_name");
  const hide = h("style", { textContent: `.${still}, .jp-OutputArea-child:has(.${still}) { display: none !important; }` });
  const gone = h("p", { className: "tlb-gone", role: "alert" });
  const busy = h("p", { className: "tlb-busy", role: "status" });
  const all = h("fieldset", { className: "tlb-all", role: "none" }, ...root.childNodes);
  root.append(hide, gone, busy, all);

  function tell(state, ever) {
    const off = state === "off";
    const give = off && !ever && document.querySelector(`.${still}`);
    root.hidden = Boolean(give);
    hide.media = give ? "not all" : "";
    set(all, "disabled", off);
    root.classList.toggle("tlb-off", off);
    set(gone, "textContent", off ? GONE : "");
    set(busy, "textContent", state === "busy" ? AT_WORK : "");
    root.dispatchEvent(new CustomEvent("connection", { detail: state }));
  }
  // What is disabled hears no click; but keys, drops and gestures are heard by what is around it.
  function guard(event) {
    if (!all.disabled || event.target.closest("summary, a")) return;
    if (event.type === "keydown" && (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey)) return;
    event.stopPropagation();
    if (event.type === "drop" || event.type === "submit") event.preventDefault();
  }
  const gestures = ["keydown", "click", "dblclick", "pointerdown", "mousedown", "change", "submit", "drop", "paste"];
  for (const gesture of gestures) root.addEventListener(gesture, guard, true);
  for (const [what, handler] of Object.entries(handlers)) model.on(what, handler);
  el.append(root);
  const unwatch = watch({ model, el }, tell);
  return () => {
    unwatch();
    for (const [what, handler] of Object.entries(handlers)) model.off(what, handler);
    end();
  };
}
