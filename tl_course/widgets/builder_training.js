// Training in the builder: what is missing, the button, how good the model is, and what it says of what the camera sees.

const SEEN = 320; // pixels of a frame's longer side: the network looks at no more

function makeTraining(page) {
  const advice = h("p", { className: "tlb-advice" });
  const train = button("Train", () => page.ask({ do: page.state().training.busy ? "stop_training" : "train" }));
  const bar = h("progress", { "aria-label": "Training" });
  const text = h("p", { className: "tlb-result" });
  const stale = h("p", { className: "tlb-muted", textContent: "The images have changed since. Train again: that takes a moment only." });
  const cameraButton = button("Try the camera", () => toggle());
  const picker = h("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1, "aria-label": "A photo to try" });
  picker.onchange = () => (look(picker.files[0]), (picker.value = ""));
  const photo = button("Try a photo", () => picker.click(), { title: "Or drop one here" });
  const tries = h("div", { className: "tlb-row" }, cameraButton, photo, picker);
  const view = h("div", { className: "tlb-view" });
  const answer = h("ul", { className: "tlb-answer", "aria-label": "What the model says" });
  const shown = h("div", { className: "tlb-live", hidden: true }, view, answer);
  const node = h(
    "section",
    { className: "tlb-train", "aria-label": "Training" },
    h("div", { className: "tlb-row" }, advice, h("span", { className: "tlb-acts" }, train)),
    bar, text, stale, tries, shown,
  );

  function showAnswer(probabilities) {
    const ranked = Object.entries(probabilities);
    const best = Math.max(...ranked.map(([, share]) => share));
    if (answer.children.length !== ranked.length || ranked.some(([label], at) => answer.children[at].dataset.label !== label)) {
      answer.replaceChildren(
        ...ranked.map(([label]) => {
          const row = h("li", {}, h("bdi", { textContent: label }), h("span", { className: "tlb-bar" }, h("span")), h("span", { className: "tlb-share" }));
          row.dataset.label = label;
          return row;
        }),
      );
    }
    ranked.forEach(([, share], at) => {
      const row = answer.children[at];
      row.classList.toggle("tlb-best", share === best);
      row.children[1].firstChild.style.width = `${100 * share}%`;
      set(row.lastChild, "textContent", `${Math.round(100 * share)}%`);
    });
  }

  let live = null; // always the latest frame, and the next one only when the last was answered
  async function toggle() {
    if (live) return page.camera.close();
    const camera = await page.camera.open(SEEN, (why) => page.say(why, true), stop);
    if (!camera) return;
    view.replaceChildren(camera.video);
    answer.replaceChildren();
    shown.hidden = false;
    cameraButton.setAttribute("aria-expanded", "true");
    set(cameraButton, "textContent", "Close camera");
    live = follow(camera, async (frame) => {
      const found = await page.answered({ do: "_predict" }, [frame]);
      if (!found) page.camera.close();
      else if (live) showAnswer(found.message.probabilities);
    });
  }
  function stop() {
    live?.stop();
    live = null;
    shown.hidden = true;
    view.replaceChildren();
    cameraButton.setAttribute("aria-expanded", "false");
    set(cameraButton, "textContent", "Try the camera");
  }

  // ---- a photo

  let url = "";
  async function look(file) {
    if (!file) return;
    if (live) page.camera.close();
    let frame;
    try {
      frame = await scaled(file, FRAME);
    } catch {
      return page.say(`${file.name} cannot be shown by this browser. Try a JPEG, PNG or WebP.`, true);
    }
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([frame], { type: "image/jpeg" }));
    view.replaceChildren(h("img", { src: url, alt: `The photo ${file.name}` }));
    answer.replaceChildren();
    shown.hidden = false;
    const found = await page.answered({ do: "_predict" }, [frame]);
    if (found) {
      showAnswer(found.message.probabilities);
      page.announce(`${file.name}: ${found.message.label}`);
    }
  }
  const brings = (event) => event.dataTransfer?.types.includes("Files") && page.state().training.labels.length;
  node.ondragover = (event) => brings(event) && (event.preventDefault(), node.classList.add("tlb-drop"));
  node.ondragleave = () => node.classList.remove("tlb-drop");
  node.ondrop = (event) => {
    node.classList.remove("tlb-drop");
    if (!brings(event)) return;
    event.preventDefault();
    event.stopPropagation();
    look(event.dataTransfer.files[0]);
  };

  function show({ advice: next, training, labels }) {
    set(advice, "textContent", next);
    const filled = labels.filter((row) => row.count > 0).length;
    set(train, "textContent", training.busy ? "Stop training" : training.labels.length ? "Train again" : "Train");
    train.disabled = !training.busy && filled < 2;
    train.title = train.disabled ? "It takes images of two labels" : "";
    train.classList.toggle("tlb-main", !training.busy && labels.length > 1 && labels.every((row) => row.count >= page.state().enough));
    bar.hidden = !training.busy;
    if (training.busy && training.total) {
      bar.max = training.total;
      bar.value = training.done;
    } else bar.removeAttribute("value");
    set(text, "textContent", training.text);
    text.classList.toggle("tlb-trouble", training.trouble);
    stale.hidden = !training.stale;
    tries.hidden = training.labels.length === 0;
  }
  return { node, show, end: () => url && URL.revokeObjectURL(url) };
}
