// The page of the live curves. The kernel sends what is new; every node is made once and changed in place.

const SVG = "http://www.w3.org/2000/svg";
// As tl_course.plots has them: Okabe & Ito's colours, and a dash and a marker besides, for whom colours say nothing.
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"];
const DASHES = ["", "7 4", "9 3 2 3", "2 3", "", "7 4"];
const MARKS = [
  (x, y) => `M${x - 4},${y}a4,4 0 1 0 8,0a4,4 0 1 0 -8,0`,
  (x, y) => `M${x - 3.6},${y - 3.6}h7.2v7.2h-7.2z`,
  (x, y) => `M${x},${y - 5.2}l4.6,5.2l-4.6,5.2l-4.6,-5.2z`,
  (x, y) => `M${x},${y - 5}l4.6,8.4h-9.2z`,
  (x, y) => `M${x},${y + 5}l4.6,-8.4h-9.2z`,
  (x, y) => `M${x - 4.4},${y - 1.4}h3v-3h2.8v3h3v2.8h-3v3h-2.8v-3h-3z`,
];
const AXES = { epoch: [0, "epochs"], seconds: [1, "seconds of training"], pictures: [2, "pictures seen"] };
const HEIGHT = 220;
const ROOM = { left: 44, right: 12, top: 10, bottom: 38 };

function s(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function put(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
  }
}

const present = (value) => value !== null && value !== undefined;

/** A step of 1, 2 or 5 times a power of ten that cuts a span into at most so many parts. */
function stepOf(span, most) {
  const power = 10 ** Math.floor(Math.log10(span / most));
  return power * [1, 2, 5, 10].find((one) => (span / (power * one)) <= most);
}

/** One chart: axes, and for each run a thin line, a dashed line and its markers. */
function chart(label) {
  const TICKS = 7;
  const tick = () => ({ line: s("line", { class: "tlv-grid" }), text: s("text", { class: "tlv-number" }) });
  const across = Array.from({ length: TICKS }, tick);
  const up = Array.from({ length: TICKS }, tick);
  const unit = s("text", { class: "tlv-unit" });
  const lines = s("g");
  const frame = s("line", { class: "tlv-axis" });
  const ticks = [...across, ...up].flatMap(({ line, text }) => [line, text]);
  const svg = s("svg", { class: "tlv-chart", role: "img", "aria-label": label, height: HEIGHT }, s("g", {}, ...ticks), frame, unit, lines);
  const made = [];
  let shown = null;

  function number(value, step) {
    return value >= 10000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))));
  }

  function axis(ticks, from, to, target, most, place) {
    const step = stepOf(target[1] - target[0] || 1, most);
    const first = Math.ceil(from / step - 1e-9);
    ticks.forEach(({ line, text }, i) => {
      const value = (first + i) * step;
      const there = value <= to + step * 1e-6;
      for (const node of [line, text]) put(node, { visibility: there ? "visible" : "hidden" });
      if (there) place(value, line, text, number(value, step));
    });
  }

  /** Draw with axes a part of the way to where they should be; whether there is way left. */
  function draw(width, target, series, words, part) {
    if (!shown) shown = structuredClone(target);
    let left = false;
    for (const which of ["x", "y"]) {
      for (const end of [0, 1]) {
        const gap = target[which][end] - shown[which][end];
        const near = Math.abs(gap) < 1e-3 * (target[which][1] - target[which][0]);
        shown[which][end] = near ? target[which][end] : shown[which][end] + gap * part;
        left ||= !near && part < 1;
      }
    }
    const [x0, x1] = shown.x;
    const [y0, y1] = shown.y;
    const right = width - ROOM.right;
    const bottom = HEIGHT - ROOM.bottom;
    const x = (value) => +(ROOM.left + ((value - x0) / (x1 - x0)) * (right - ROOM.left)).toFixed(1);
    const y = (value) => +(bottom - ((Math.min(value, y1) - y0) / (y1 - y0)) * (bottom - ROOM.top)).toFixed(1);
    put(svg, { width, viewBox: `0 0 ${width} ${HEIGHT}` });
    put(frame, { x1: ROOM.left, x2: right, y1: bottom, y2: bottom });
    put(unit, { x: (ROOM.left + right) / 2, y: HEIGHT - 4 });
    set(unit, "textContent", words);
    axis(across, x0, x1, target.x, width < 420 ? 4 : 6, (value, line, text, said) => {
      put(line, { x1: x(value), x2: x(value), y1: ROOM.top, y2: bottom });
      put(text, { x: x(value), y: bottom + 15, "text-anchor": "middle" });
      set(text, "textContent", said);
    });
    axis(up, y0, y1, target.y, 5, (value, line, text, said) => {
      put(line, { x1: ROOM.left, x2: right, y1: y(value), y2: y(value) });
      put(text, { x: ROOM.left - 6, y: y(value) + 4, "text-anchor": "end" });
      set(text, "textContent", said);
    });
    const path = (points) => points.map(([px, py], i) => `${i ? "L" : "M"}${x(px)},${y(py)}`).join("");
    series.forEach(({ thin, thick, style }, i) => {
      if (!made[i]) {
        const colour = COLOURS[style % COLOURS.length];
        made[i] = {
          thin: s("path", { class: "tlv-thin", style: `--tlv-run: ${colour}` }),
          thick: s("path", { class: "tlv-thick", style: `--tlv-run: ${colour}`, "stroke-dasharray": DASHES[style % DASHES.length] }),
          marks: s("path", { class: "tlv-marks", style: `--tlv-run: ${colour}` }),
        };
        lines.append(made[i].thin, made[i].thick, made[i].marks);
      }
      put(made[i].thin, { d: path(thin) });
      put(made[i].thick, { d: path(thick) });
      put(made[i].marks, { d: thick.map(([px, py]) => MARKS[style % MARKS.length](x(px), y(py))).join("") });
    });
    return left;
  }

  return { svg, draw };
}

function render({ model, el }) {
  const ask = (what) => model.send(what);
  const runs = [];
  let now = { x: "epoch", score: "accuracy", training: null };
  let heard = 0;

  const doing = h("span", { className: "tlb-muted tlv-doing" });
  const pause = button("Pause", () => ask({ do: now.paused ? "resume" : "pause" }), { className: "tlv-pause" });
  const stop = button("Stop after this epoch", () => ask({ do: "stop" }));
  const keep = h("input", { type: "checkbox", onchange: () => ask({ do: "set_keep_best", on: keep.checked }) });
  const by = h("select", { "aria-label": "Curves by", onchange: () => ask({ do: "set_x", x: by.value }) });
  setOptions(by, [["epoch", "by epoch"], ["seconds", "by second"], ["pictures", "by pictures seen"]]);
  const keeping = h("label", { className: "tlv-keep", title: "At the end, the weights of the epoch with the best validation score come back" }, keep, "Keep the best");
  const loss = chart("Loss");
  const score = chart("Score");
  const scoreTitle = h("b", { textContent: "Accuracy" });
  const panel = (drawn, ...title) => h("figure", { className: "tlv-panel" }, h("figcaption", {}, ...title), drawn.svg);
  const muted = (text) => h("span", { className: "tlb-muted", textContent: text });
  const plots = h(
    "div",
    { className: "tlv-plots" },
    panel(loss, h("b", { textContent: "Loss" }), muted(" thin: training, batch by batch; marked: validation")),
    panel(score, scoreTitle, muted(" on the validation pictures")),
  );
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });
  const legend = h("ul", { className: "tlv-legend", "aria-label": "Runs" });
  const body = h("tbody");
  const heads = ["run", "epoch", "seconds", "pictures", "training loss", "validation loss", "score"].map((text) => h("th", { scope: "col", textContent: text }));
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body);
  const numbers = h("details", { className: "tlv-numbers", ontoggle: () => tabulate() }, h("summary", { textContent: "All numbers as a table" }),
    h("div", { className: "tlv-scroll", tabIndex: 0, role: "region", "aria-label": "All numbers" }, table));
  const head = h("div", { className: "tlb-head" }, h("span", { className: "tlb-title", textContent: "Training" }), doing,
    h("div", { className: "tlb-acts" }, pause, stop));
  const tools = h("div", { className: "tlb-row tlv-tools" }, by, keeping);
  const root = h("div", { className: "tlb tlv", role: "region", "aria-label": "Live training curves" },
    head, tools, plots, h("div", { className: "tlb-said" }, polite, alarm), legend, numbers);

  // ---- what is known --------------------------------------------------------------------------------------------

  function take(news) {
    let run = runs.find((one) => one.name === news.name);
    if (!run) {
      runs.push((run = { name: news.name, points: [], rows: [], style: runs.length }));
      enlist(run);
    }
    if (news.anew) {
      run.points = [];
      run.rows = [];
    } else if (run.points.length !== news.from[0] || run.rows.length !== news.from[1]) {
      return false;
    }
    run.points.push(...news.points);
    run.rows.push(...news.rows);
    if (news.thin) run.points = run.points.filter((_, i) => i % 2 === 1);
    Object.assign(run, { state: news.state, planned: news.planned, best: news.best });
    return true;
  }

  function hear(message) {
    if (!message.state) return;
    now = message.state;
    if (!message.runs.map(take).every(Boolean)) askForAll();
    show();
  }

  let asking = 0; // what was missed is asked for soon, and only once; but always after the last miss
  function askForAll() {
    asking ||= setTimeout(() => ((asking = 0), ask({ do: "show" })), 300);
  }

  // ---- what is shown --------------------------------------------------------------------------------------------

  function enlist(run) {
    const colour = COLOURS[run.style % COLOURS.length];
    const swatch = s("svg", { class: "tlv-swatch", width: 40, height: 16, "aria-hidden": "true" },
      s("path", { class: "tlv-thick", d: "M1,8H39", style: `--tlv-run: ${colour}`, "stroke-dasharray": DASHES[run.style % DASHES.length] }),
      s("path", { class: "tlv-marks", d: MARKS[run.style % MARKS.length](20, 8), style: `--tlv-run: ${colour}` }));
    run.said = muted("");
    legend.append(h("li", {}, swatch, h("b", { textContent: run.name }), run.said));
  }

  const scored = (value) => (now.score === "accuracy" ? `${(100 * value).toFixed(1)}%` : value.toFixed(3));

  function inWords(run) {
    const last = run.rows[run.rows.length - 1] ?? [];
    const point = run.points[run.points.length - 1] ?? [];
    const [epoch, seconds] = [Math.max(last[0] ?? 0, point[0] ?? 0), Math.max(last[1] ?? 0, point[1] ?? 0)];
    const whole = Math.abs(epoch - Math.round(epoch)) < 1e-6;
    const words = [`epoch ${whole ? Math.round(epoch) : epoch.toFixed(1)}${run.planned ? ` of ${run.planned}` : ""}`];
    const training = run.state === "done" ? last[3] : point[3] ?? last[3];
    if (present(training)) words.push(`training loss ${training.toFixed(3)}`);
    if (present(last[4])) words.push(`validation loss ${last[4].toFixed(3)}`);
    if (present(last[5]) && now.score !== "validation loss") words.push(`${now.score} ${scored(last[5])}`);
    words.push(`${seconds.toFixed(seconds < 10 ? 1 : 0)} s`);
    if (present(run.best) && run.rows[run.best]) words.push(`best: epoch ${run.rows[run.best][0]}`);
    if (run.state !== "done") words.push(run.state);
    return words.join(" · ");
  }

  function tabulate() {
    if (!numbers.open) return;
    set(heads[6], "textContent", now.score);
    let at = 0;
    for (const run of runs) {
      for (const row of run.rows) {
        let line = body.rows[at++];
        if (!line) body.append((line = h("tr", {}, ...heads.map((_, i) => h(i ? "td" : "th", i ? {} : { scope: "row" })))));
        const said = row.map((value, i) => (!present(value) ? "–" : i === 5 ? scored(value) : i > 2 ? value.toFixed(3) : String(+value.toFixed(2))));
        [run.name, ...said].forEach((text, i) => set(line.cells[i], "textContent", text));
      }
    }
    while (body.rows.length > at) body.lastElementChild.remove();
  }

  function show() {
    const run = runs.find((one) => one.name === now.training);
    set(by, "value", now.x);
    set(keep, "checked", now.keep_best);
    set(pause, "textContent", now.paused ? "Resume" : "Pause");
    set(pause, "disabled", !run);
    set(stop, "disabled", !run || now.stopping);
    set(stop, "textContent", now.stopping ? "Stopping …" : "Stop after this epoch");
    set(doing, "textContent", run ? `${run.name}${now.paused ? ", paused" : ""}` : "");
    set(scoreTitle, "textContent", now.score[0].toUpperCase() + now.score.slice(1));
    for (const one of runs) set(one.said, "textContent", inWords(one));
    if (now.said !== heard) {
      set(alarm, "textContent", now.alert ? now.status : "");
      set(polite, "textContent", now.alert ? "" : now.status);
    }
    heard = now.said;
    if (!runs.length && !polite.textContent) {
      set(polite, "textContent", "Nothing has trained yet. Give a fit cbs=live.callback('a name').");
    }
    tabulate();
    moving ||= requestAnimationFrame(move);
  }

  // ---- the charts -----------------------------------------------------------------------------------------------

  let moving = 0;
  let jump = true; // to where the axes should be, as after a resize or another x; else they glide there
  let lastX = "";
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function ends() {
    const [column] = AXES[now.x];
    const xs = runs.flatMap((run) => [...run.rows.map((row) => row[column]), ...run.points.map((one) => one[column])]).filter(present);
    let most = Math.max(0, ...xs);
    for (const run of runs) {
      if (run.state !== "training" && run.state !== "paused") continue;
      if (now.x === "epoch") most = Math.max(most, run.planned);
      const [point] = run.points.slice(-1);
      // Pictures come at an even pace, so that their number at the end is known from the beginning.
      if (now.x === "pictures" && point?.[0] && point[2]) most = Math.max(most, (point[2] / point[0]) * run.planned);
      if (now.x === "seconds") most *= 1.15; // room to grow into
    }
    const losses = runs.flatMap((run) => [...run.rows.map((row) => row[4]), ...run.points.map((one) => one[3])]).filter(present);
    const scores = runs.flatMap((run) => run.rows.map((row) => row[5])).filter(present);
    const top = Math.max(...losses, 0.1);
    const unit = stepOf(top, 5);
    let y = [Math.min(0.4, Math.floor(10 * Math.min(1, ...scores)) / 10), 1.02];
    if (now.score !== "accuracy") y = [Math.min(0, ...scores), Math.max(0.1, ...scores) * 1.05];
    const x = [0, most || 1];
    return [{ x, y: [Math.min(0, ...losses), Math.ceil(top / unit - 1e-9) * unit] }, { x, y }];
  }

  function move() {
    moving = 0;
    const width = plots.firstElementChild.clientWidth;
    if (!width) return;
    const [column, words] = AXES[now.x];
    const part = jump || still.matches || lastX !== now.x ? 1 : 0.2;
    [jump, lastX] = [false, now.x];
    const line = (rows, value) => rows.filter((row) => present(row[column]) && present(row[value])).map((row) => [row[column], row[value]]);
    const losses = runs.map((run) => ({ style: run.style, thin: line(run.points, 3), thick: line(run.rows, 4) }));
    const scores = runs.map((run) => ({ style: run.style, thin: [], thick: line(run.rows, 5) }));
    const [first, second] = ends();
    const left = [loss.draw(width, first, losses, words, part), score.draw(width, second, scores, words, part)];
    if (left.some(Boolean)) moving = requestAnimationFrame(move);
  }

  const resized = new ResizeObserver(() => {
    jump = true;
    moving ||= requestAnimationFrame(move);
  });
  resized.observe(plots);
  show();
  ask({ do: "show" });
  return mount({ model, el }, root, { "msg:custom": hear }, () => {
    resized.disconnect();
    clearTimeout(asking);
    if (moving) cancelAnimationFrame(moving);
  });
}

export default { render };
