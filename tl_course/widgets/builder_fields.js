// What is typed into the builder's fields is looked at while it is typed; what is wrong is said beside the field, and
// stays there to be mended.

/** The whole number from 1 to `most` that a text says, or undefined: "12 ", "１２", "١٢" and "1,200" do, "1e3" does not. */
function wholeNumber(text, most) {
  const isDigit = (code) => /\p{Nd}/u.test(String.fromCodePoint(code));
  const latin = (digit) => {
    const code = digit.codePointAt(0);
    let value = 0; // digits of every script stand in a row
    while (value < 9 && isDigit(code - value - 1)) value++;
    return String(value);
  };
  const plain = text.normalize("NFKC").trim().replace(/\p{Nd}/gu, latin);
  if (!/^(\d+|\d{1,3}(,\d{3})+)$/.test(plain)) return undefined;
  const n = Number(plain.replaceAll(",", ""));
  return n >= 1 && n <= most ? n : undefined;
}

const oneLine = (text) => text.normalize("NFC").split(/\s+/u).filter(Boolean).join(" ");

/** Why a text is no new label beside the `others`; empty where it is one. */
function labelTrouble(text, others, longest) {
  const name = oneLine(text);
  if (!/[\p{L}\p{N}\p{P}\p{S}]/u.test(name)) return "A label needs a name, such as cat.";
  if (/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(name)) return "It holds characters that cannot be seen. Type it anew.";
  const length = [...name].length;
  if (length > longest) return `A label has at most ${longest} characters; this has ${length}.`;
  if (others.includes(name)) return `There is a label “${name}” already.`;
  const fold = (one) => oneLine(one).toLocaleLowerCase();
  const alike = others.find((one) => fold(one) === fold(name));
  return alike ? `There is “${alike}” already: this differs in case or blanks only.` : "";
}

/**
 * Wire a field: `check(text)` says what is wrong or "", `commit(text)` sends what is right and returns whether it was
 * taken. The answer has the place for the sentence, `trouble()`, and `show(text)` for what the kernel says it holds; it
 * leaves alone what somebody is typing, and what is wrong.
 */
function wire(input, { check, commit, changed, commitOnEnter = false }) {
  const wrong = h("span", { className: "tlb-wrong", id: `${input.id}-wrong` });
  input.setAttribute("aria-describedby", wrong.id);
  let held = input.value; // what the kernel has
  let touched = false;
  let refused = "";

  const trouble = () => refused || check(input.value, touched);
  function mend() {
    const text = trouble();
    set(wrong, "textContent", text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    changed?.();
  }
  async function leave() {
    if (!touched || trouble()) return;
    touched = false;
    const text = input.value;
    if (text === held || (await commit(text)) !== false) return;
    refused = "That was not taken; see what is said below.";
    touched = true;
    mend();
  }
  function back() {
    touched = false;
    refused = "";
    input.value = held;
    mend();
  }
  input.addEventListener("input", () => {
    touched = true;
    refused = "";
    mend();
  });
  input.addEventListener("change", leave);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") back();
    if (event.key === "Enter" && commitOnEnter) input.blur();
  });
  const show = (text) => {
    held = text;
    if (!touched) set(input, "value", text);
    mend();
  };
  return { wrong, trouble, show, back };
}
