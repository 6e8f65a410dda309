// The page of the consistency check. It shows `_state` and one picture, `_view`, and sends what a click or a key means.

const BESIDES = { neither: "n", cannot_tell: "c" }; // keys

function render({ model, el }) {
  const state = () => model.get("_state");
  const ask = (what) => model.send(what);
  const idBase = `tlk-${Math.random().toString(36).slice(2, 8)}`;

  const title = h("span", { className: "tlb-title" });
  const progress = h("progress", { className: "tlk-progress", "aria-label": "Answered" });
  const place = h("span", { className: "tlb-muted" });
  const undo = button("Undo", () => ask({ do: "undo" }), { title: "Take the last answer back (key u)" });
  const who = h("input", { type: "text", id: `${idBase}-who`, maxLength: 60, placeholder: "your name", "list": `${idBase}-people` });
  const people = h("datalist", { id: `${idBase}-people` });
  who.onchange = () => ask({ do: "set_person", who: who.value });
  who.onkeydown = (event) => event.key === "Enter" && (who.blur(), root.focus());
  const polite = h("p", { className: "tlb-status", role: "status", "aria-live": "polite" });
  const alarm = h("p", { className: "tlb-alert", role: "alert" });

  const picture = h("img", { className: "tlk-picture", draggable: false });
  const box = h("div", { className: "tlk-box" }, picture);
  crisp(picture, box);
  const question = h("p", { className: "tlk-question", id: `${idBase}-question` });
  const answers = h("div", { className: "tlk-answers", role: "group", "aria-labelledby": question.id });
  const asking = h("div", { className: "tlk-asking" }, box, h("div", { className: "tlk-side" }, question, answers));

  const lines = h("div", { className: "tlk-lines" });
  const contradictions = h("ul", { className: "tlk-contradictions" });
  const done = h("div", { className: "tlk-done" }, h("h3", { textContent: "How consistent" }), lines, contradictions);

  const rule = h("textarea", { id: `${idBase}-rule`, rows: 3, placeholder: "Such as: open, as soon as light shows past the leaf." });
  rule.onchange = () => ask({ do: "set_rule", text: rule.value });
  const ruled = h("div", { className: "tlk-rule" }, h("label", { for: rule.id, textContent: "The rule" }), rule);

  const root = h(
    "div",
    // Keys without Ctrl, Alt or Cmd stay in here: in JupyterLab digits would turn the cell into a heading.
    { className: "tlb tlk", tabIndex: 0, role: "region", "aria-label": "Consistency of labels", onkeydown: keydown },
    h(
      "div",
      { className: "tlb-head" },
      title,
      place,
      h("span", { className: "tlb-acts" }, h("label", { className: "tlb-field", for: who.id }, h("span", { textContent: "Who" }), who), undo),
    ),
    people,
    progress,
    h("div", { className: "tlb-said" }, polite, alarm),
    asking,
    done,
    ruled,
  );

  function keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    if (event.target.closest("input, textarea")) return;
    const label = /^[1-9]$/.test(event.key) && state().labels[Number(event.key) - 1];
    const besides = Object.keys(state().besides).find((method) => BESIDES[method] === event.key);
    if (label) give(label);
    else if (besides) say(besides);
    else if (event.key === "u") ask({ do: "undo" });
    else return;
    event.preventDefault();
  }

  // The place goes with the answer, so that a second click cannot answer for a picture that has not been seen.
  function give(label) {
    if (state().place < state().total) ask({ do: "answer", label, place: state().place });
  }

  function say(method) {
    if (state().place < state().total) ask({ do: method, place: state().place });
  }

  let url = "";
  function view() {
    const data = model.get("_view");
    if (url) URL.revokeObjectURL(url);
    url = data?.byteLength ? URL.createObjectURL(new Blob([data], { type: "image/jpeg" })) : "";
    if (url) picture.src = url;
  }

  let heardSaying = -1;
  function show() {
    const now = state();
    const left = now.total - now.place;
    const active = el.getRootNode().activeElement;
    const inside = active && root.contains(active) && !active.closest("input, textarea");
    set(title, "textContent", now.folder);
    set(place, "textContent", left ? `${now.place + 1} of ${now.total}` : `all ${now.total} answered`);
    progress.max = now.total;
    progress.value = now.place;
    undo.disabled = now.place === 0;
    if (active !== who) set(who, "value", now.who);
    people.replaceChildren(...now.people.map((value) => h("option", { value })));
    if (active !== rule) set(rule, "value", now.rule);
    set(question, "textContent", "What is it?");
    set(picture, "alt", `Picture ${now.place + 1} of ${now.total}`);
    const wanted = JSON.stringify([now.labels, now.besides]);
    if (answers.dataset.labels !== wanted) {
      answers.dataset.labels = wanted;
      answers.replaceChildren(
        ...now.labels.map((label, at) => {
          const key = h("kbd", { className: "tlb-digit", textContent: String(at + 1), "aria-hidden": "true", hidden: at > 8 });
          return h("button", { type: "button", onclick: () => give(label), className: "tlk-answer" }, key, label);
        }),
        ...Object.entries(now.besides).map(([method, label]) => {
          const key = h("kbd", { className: "tlb-digit", textContent: BESIDES[method], "aria-hidden": "true" });
          return h("button", { type: "button", onclick: () => say(method), className: "tlk-answer tlk-besides" }, key, label);
        }),
      );
    }
    asking.hidden = left === 0;
    done.hidden = left > 0;
    lines.replaceChildren(...now.report.map((text) => h("p", { textContent: text })));
    contradictions.replaceChildren(
      ...now.contradictions.map((one) => {
        const words = `first ${one.first}, then ${one.second}`;
        const small = h("div", { className: "tlk-small" }, h("img", { alt: "" }));
        crisp(small.firstChild, small);
        small.firstChild.src = one.src;
        return h("li", {}, small, h("span", { textContent: words }));
      }),
    );
    if (inside && left === 0) root.focus(); // the buttons that had the focus are gone
    if (now.said !== heardSaying) {
      set(alarm, "textContent", now.alert ? now.status : "");
      set(polite, "textContent", now.alert ? "" : now.status);
    }
    heardSaying = now.said;
  }

  view();
  show();
  return mount({ model, el }, root, { "change:_state": show, "change:_view": view }, () => {
    if (url) URL.revokeObjectURL(url);
  });
}

export default { render };
