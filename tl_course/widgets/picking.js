// Several things picked at once in a grid, as file managers do it: Ctrl or Cmd and Shift with a click, a frame drawn with
// the mouse, a long press of a finger. Its own file is put before that of the widget that uses it.

/**
 * What is picked among the names of a page, and from where a range reaches.
 *
 * `names()` are those on the page in order, `current()` the one in focus.
 */
class Picked {
  constructor({ names, current }) {
    Object.assign(this, { names, current, all: new Set(), anchor: "", base: new Set() });
  }
  get size() {
    return this.all.size;
  }
  has(name) {
    return this.all.has(name);
  }
  /** In the order of the page. */
  list() {
    return this.names().filter((name) => this.all.has(name));
  }
  set(names, anchor = "") {
    this.all = new Set(names);
    this.anchor = anchor;
    this.base = new Set(this.all);
  }
  toggle(name) {
    const rest = this.list().filter((one) => one !== name);
    this.set(this.all.has(name) ? rest : [...rest, name], name);
  }
  /** A click with Ctrl: the one that was clicked on just before belongs to it. */
  add(name) {
    if (!this.size && this.anchor && this.anchor === this.current() && name !== this.anchor) this.all.add(this.anchor);
    this.toggle(name);
  }
  /** From where the range began up to here, besides what was picked before it began. */
  extend(name) {
    const names = this.names();
    if (!names.includes(this.anchor)) this.anchor = this.current();
    const [from, till] = [names.indexOf(this.anchor), names.indexOf(name)].sort((a, b) => a - b);
    this.all = new Set([...this.base, ...names.slice(Math.max(0, from), till + 1)]);
  }
}

/**
 * Let the mouse draw a frame around cards in `area`, which scrolls, and a finger rest on one.
 *
 * `cards()` are those that can be picked; `drawn(touched, event, done)` hears which ones the frame touches (null: it was
 * given up) with the event that began it, and `held(card)` on which a finger rested. A frame may begin on a card; the click
 * that ends it is not heard. Returns what ends all this.
 */
function frameIn(area, { cards, drawn, held }) {
  const AWAY = 6; // pixels: less is a click that shook
  const HELD = 500; // milliseconds
  const box = h("div", { className: "tlp-frame", hidden: true, "aria-hidden": "true" });
  area.append(box);
  let drag = null;
  let timer = 0;
  let lifting = false; // a finger that rested on a card has yet to be lifted, which is no tap

  const at = (event) => {
    const edge = area.getBoundingClientRect();
    return [event.clientX - edge.left - area.clientLeft + area.scrollLeft, event.clientY - edge.top - area.clientTop + area.scrollTop];
  };
  function touched() {
    const [[x, y], [u, v]] = [drag.from, drag.to];
    const [left, right, top, bottom] = [Math.min(x, u), Math.max(x, u), Math.min(y, v), Math.max(y, v)];
    Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    const inside = (card) =>
      card.offsetLeft < right && card.offsetLeft + card.offsetWidth > left && card.offsetTop < bottom && card.offsetTop + card.offsetHeight > top;
    return cards().filter(inside);
  }
  function draw(done = false) {
    // Kept inside, or the frame itself would make more room to scroll into.
    const [x, y] = at(drag.event);
    drag.to = [Math.max(0, Math.min(x, area.clientWidth)), Math.max(0, Math.min(y, area.scrollHeight))];
    drawn(touched(), drag.start, done);
  }
  function scroll() {
    if (!drag?.on) return;
    const edge = area.getBoundingClientRect();
    const beyond = Math.min(0, drag.event.clientY - edge.top - 12) || Math.max(0, drag.event.clientY - edge.bottom + 12);
    if (beyond) {
      area.scrollTop += Math.sign(beyond) * Math.min(24, Math.abs(beyond));
      draw();
    }
    requestAnimationFrame(scroll);
  }
  function move(event) {
    drag.event = event;
    const [x, y] = at(event);
    if (!drag.on && Math.hypot(x - drag.from[0], y - drag.from[1]) < AWAY) return;
    if (drag.finger) return stop(); // it scrolls
    if (!drag.on) {
      drag.on = true;
      box.hidden = false;
      requestAnimationFrame(scroll);
    }
    draw();
  }
  function stop() {
    clearTimeout(timer);
    box.hidden = true;
    drag = null;
    for (const [what, handler] of handlers) document.removeEventListener(what, handler, true);
  }
  function deafen() {
    const ignore = (event) => (event.stopPropagation(), event.preventDefault());
    window.addEventListener("click", ignore, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", ignore, true));
  }
  function up(event) {
    const { on } = drag;
    drag.event = event;
    if (on) {
      draw(true);
      deafen();
    }
    stop();
  }
  function key(event) {
    if (event.key !== "Escape" || !drag.on) return;
    event.stopPropagation();
    cancel();
  }
  function cancel() {
    if (drag.on) drawn(null, drag.start, true); // as it was before
    stop();
  }
  const handlers = [["pointermove", move], ["pointerup", up], ["pointercancel", cancel], ["keydown", key]];

  function down(event) {
    const edge = area.getBoundingClientRect();
    const onScrollbar = event.clientX - edge.left - area.clientLeft >= area.clientWidth;
    if (event.button !== 0 || !event.isPrimary || onScrollbar || drag) return;
    const finger = event.pointerType === "touch";
    lifting = false;
    drag = { from: at(event), to: at(event), event, finger, on: false, start: event };
    for (const [what, handler] of handlers) document.addEventListener(what, handler, true);
    const card = event.target.closest("[role=option]");
    if (finger && card) {
      timer = setTimeout(() => {
        held(card);
        lifting = true;
      }, HELD);
    }
  }
  const tapped = (event) => {
    if (lifting) event.stopPropagation();
    lifting = false;
  };
  const menu = (event) => event.pointerType === "touch" && event.preventDefault();
  area.addEventListener("pointerdown", down);
  area.addEventListener("click", tapped, true);
  area.addEventListener("contextmenu", menu);
  return () => drag && stop();
}
