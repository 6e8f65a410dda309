"""The cleaner in JupyterLab: cleaned by keyboard alone, undone after a restart, filtered without losing a thing."""

import shutil
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT, assert_accessible_everywhere, axe
from PIL import Image

from tl_course import ImageSet
from tl_course.features import Backbone, extract
from tl_course.synthetic import render_dataset

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = "from tl_course.widgets import Cleaner\ncleaner = Cleaner('doors', page_size=12)\ncleaner"


@pytest.fixture(scope="module")
def drawn_doors(known: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered doors with flaws, their features known."""
    folder, flaws = tmp_path_factory.mktemp("drawn") / "doors", {"wrong_labels": 0.06, "near_duplicates": 0.04}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(known))
        images = render_dataset("doors", folder, n=60, seed=5, size=224, off_topic=0.05, **flaws)
        extract([images.path(one) for one in images], Backbone.get(), hashes=[one.sha256 for one in images])
    return folder


@pytest.fixture
def doors(tmp_path: Path, drawn_doors: Path, backbone: Backbone) -> ImageSet:
    return ImageSet.open(shutil.copytree(drawn_doors, tmp_path / "doors"))


@pytest.fixture
def opened(notebook: Callable[..., Any], doors: ImageSet) -> Callable[..., Any]:
    def run(*more: str, first: str = CELL) -> Any:
        page = notebook(first, *more)
        page.wait_for_selector(".tlc-card >> nth=11", timeout=WAIT)
        pictures_are_there(page)
        return page

    return run


def pictures_are_there(page: Any) -> None:
    page.wait_for_function(
        "[...document.querySelectorAll('.tlc-card img')].every(one => one.complete && one.naturalWidth > 0)",
        timeout=WAIT,
    )


def names(page: Any) -> list[str]:
    return page.eval_on_selector_all(".tlc-card", "cards => cards.map(one => one.dataset.name)")


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.dataset.name ?? ''")


def tallied(page: Any, text: str) -> None:
    page.locator(".tlc-tally", has_text=text).wait_for(timeout=WAIT)


def turned(page: Any, key: str) -> float:
    """Milliseconds from the key until the other page is there with all its pictures."""
    return page.evaluate(
        """async key => {
            const text = () => document.querySelector('.tlc-pager span').textContent;
            const before = text(), began = performance.now();
            document.querySelector('.tlc-current').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
            const there = one => one.src && one.complete && one.naturalWidth > 0;
            while (text() === before || ![...document.querySelectorAll('.tlc-card img')].every(there))
                await new Promise(requestAnimationFrame);
            return performance.now() - began;
        }""",
        key,
    )


def into_the_grid(page: Any) -> None:
    page.locator(".tlc-filters select >> nth=3").focus()
    page.keyboard.press("Tab")


def test_a_page_is_cleaned_by_keyboard_alone(opened: Callable[..., Any], doors: ImageSet) -> None:
    page = opened("print('unused')")
    shown = names(page)
    into_the_grid(page)
    assert focused(page) == shown[0]
    done = []
    for key in "dk12d21kdk":  # as quick as it goes: no key waits for the kernel
        done.append((focused(page), key))
        page.keyboard.press(key)
    assert [name for name, _ in done] == shown[:10]
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.locator(".tlc-chosen >> text=2 selected").wait_for(timeout=WAIT)
    page.keyboard.press("Delete")
    tallied(page, "12 looked at")
    assert names(page) == shown, "the page keeps its order"
    page.keyboard.press("u")
    tallied(page, "10 looked at")
    page.keyboard.press("Shift+U")
    tallied(page, "12 looked at")

    # The journal agrees with what was done.
    images = ImageSet.open(doors.root, warn=False)
    label = {one.file_name: one.label for one in doors}
    expected = []
    for name, key in done:
        to = doors.labels[int(key) - 1] if key in "12" else ""
        expected.append((name, {"d": "drop", "k": "keep"}.get(key, "keep" if to == label[name] else "relabel")))
    expected += [(name, "drop") for name in shown[10:]]
    assert [(edit.file_name, edit.action) for edit in images.journal if not edit.undoes] == expected
    assert {one.file_name for one in images.dropped} == {name for name, action in expected if action == "drop"}

    print(f"page turned in {turned(page, 'PageDown'):.0f} ms, with its pictures")
    page.locator(".tlc-pager >> text=page 2 of").wait_for(timeout=WAIT)
    assert not set(names(page)) & set(shown)
    assert focused(page) == names(page)[0]
    page.keyboard.press("?")
    page.get_by_role("region", name="Keys").wait_for(timeout=WAIT)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key reached the notebook"


def test_filters_lose_nothing_and_a_restart_can_be_undone_across(opened: Callable[..., Any], doors: ImageSet) -> None:
    page = opened()
    into_the_grid(page)
    page.keyboard.press("d")
    page.keyboard.press("k")
    tallied(page, "2 looked at")
    page.keyboard.press("ArrowRight")
    here = focused(page)
    show, label = page.locator(".tlc-filters select >> nth=0"), page.locator(".tlc-filters select >> nth=1")
    show.select_option("dropped")
    page.locator(".tlc-pager >> text=1 picture").wait_for(timeout=WAIT)
    show.select_option("all")
    page.locator(".tlc-pager >> text=60 pictures").wait_for(timeout=WAIT)
    assert page.locator(".tlc-current").get_attribute("data-name") == here, "the focus comes back"
    for value in ("open", "closed", "all"):
        label.select_option(value)
    page.locator(".tlc-filters select >> nth=2").select_option("valid")
    page.wait_for_function(
        "[...document.querySelectorAll('.tlc-card')].every(one => !one.querySelector('.tlc-split').hidden)",
        timeout=WAIT,
    )
    tallied(page, "2 looked at")
    assert [edit.action for edit in ImageSet.open(doors.root, warn=False).journal] == ["drop", "keep"]

    page.click("li.lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:restart-and-run-all']")
    page.click(".jp-Dialog button.jp-mod-accept")
    page.wait_for_function("!document.querySelector('.tlc-card')", timeout=WAIT)
    page.wait_for_selector(".tlc-card >> nth=11", timeout=WAIT)
    tallied(page, "2 looked at")
    into_the_grid(page)
    page.keyboard.press("u")
    tallied(page, "1 looked at · 0 relabelled · 1 dropped · 0 kept")
    page.keyboard.press("u")
    tallied(page, "0 looked at")
    images = ImageSet.open(doors.root, warn=False)
    assert [edit.action for edit in images.journal] == ["drop", "keep", "keep", "restore"]
    assert list(images) == list(doors)


def card(page: Any, place: int) -> Any:
    return page.locator(".tlc-card").nth(place)


def selected(page: Any) -> list[int]:
    """Places of the selected cards, once the page and what it says agree on how many these are."""
    said = page.locator(".tlc-chosen").text_content()
    places = page.eval_on_selector_all(
        ".tlc-card", "cards => cards.flatMap((one, at) => one.ariaSelected === 'true' ? [at] : [])"
    )
    assert said == (f"{len(places)} selected" if places else ""), "it says how many"
    return places


def drag(page: Any, start: tuple[float, float], end: tuple[float, float], *, let_go: bool = True) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    for part in (0.3, 0.7, 1):
        page.mouse.move(*(a + part * (b - a) for a, b in zip(start, end, strict=True)))
    if let_go:
        page.mouse.up()


def test_several_are_selected_by_mouse_and_keys_and_decided_on_in_one_step(
    opened: Callable[..., Any], doors: ImageSet
) -> None:
    page = opened()
    columns = page.evaluate(
        "getComputedStyle(document.querySelector('.tlc-grid')).gridTemplateColumns.split(' ').length"
    )
    by_clicks(page)
    by_a_frame(page, columns)
    in_one_step(page, doors, columns)


def by_clicks(page: Any) -> None:
    shown = names(page)
    card(page, 1).click()
    assert selected(page) == [] and page.locator(".tlc-current").get_attribute("data-name") == shown[1]
    card(page, 4).click(modifiers=["Shift"])
    assert selected(page) == [1, 2, 3, 4]
    card(page, 2).click(modifiers=["Shift"])
    assert selected(page) == [1, 2], "a range begins where it began"
    card(page, 5).click(modifiers=["Control"])
    card(page, 1).click(modifiers=["Meta"])
    assert selected(page) == [2, 5]
    card(page, 7).click(modifiers=["Shift"])
    assert selected(page) == [1, 2, 3, 4, 5, 6, 7], "from the last one with Ctrl, and what was selected stays"
    card(page, 6).click()
    assert len(selected(page)) == 7 and page.locator(".tlc-current").get_attribute("data-name") == shown[6]
    card(page, 8).click()
    assert selected(page) == [], "a plain click elsewhere is for one"
    card(page, 0).click(modifiers=["Control"])
    assert selected(page) == [0, 8], "and that one belongs to what is clicked on with Ctrl"
    page.keyboard.press("Escape")
    assert selected(page) == []


def by_a_frame(page: Any, columns: int) -> None:
    """From the gap between two cards or from a card, across what it touches."""
    card(page, 0).scroll_into_view_if_needed()
    first, last = (card(page, place).bounding_box() for place in (0, columns + 1))
    gap = first["x"] + first["width"] + 3, first["y"] + first["height"] + 3
    on, near = (first["x"] + 20, first["y"] + 20), (first["x"] + 40, first["y"] + 40)
    inside = last["x"] + 12, last["y"] + 12
    drag(page, gap, inside)
    assert selected(page) == [columns + 1]
    drag(page, on, inside)
    square = [0, 1, columns, columns + 1]
    assert selected(page) == square
    drag(page, on, near, let_go=False)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert selected(page) == square, "given up"
    page.keyboard.down("Control")
    drag(page, on, near)
    page.keyboard.up("Control")
    assert selected(page) == square[1:]
    assert page.evaluate("getSelection().toString()") == "", "no text is marked"
    below = page.locator(".tlc-scroll").bounding_box()
    drag(page, gap, (gap[0] + 40, below["y"] + below["height"] + 60), let_go=False)
    page.wait_for_function(
        "(one => one.scrollTop + one.clientHeight >= one.scrollHeight - 1)(document.querySelector('.tlc-scroll'))"
    )
    page.mouse.up()
    assert max(selected(page)) >= 12 - columns, "it scrolls along"
    page.keyboard.press("Control+a")
    assert selected(page) == list(range(12))
    page.keyboard.press("Escape")


def in_one_step(page: Any, doors: ImageSet, columns: int) -> None:
    """What a key does to several is one step, which an undo takes back, and selects them again."""
    shown, group = names(page), list(range(columns + 2))
    card(page, 0).click()
    for key in ("Right", "Right", "Left", "Down"):
        page.keyboard.press(f"Shift+Arrow{key}")
    assert selected(page) == group
    label = {one.file_name: one.label for one in doors}
    pressed = page.eval_on_selector_all(".tlc-labels button", "all => all.map(one => one.ariaPressed)")
    assert len({label[shown[place]] for place in group}) == 2 and pressed == ["mixed", "mixed"]
    page.keyboard.press("1")
    tallied(page, f"{len(group)} looked at")
    assert selected(page) == []
    assert page.locator(".tlc-current").get_attribute("data-name") == shown[columns + 2], "on to the next"
    page.keyboard.press("u")
    tallied(page, "0 looked at")
    page.locator(f".tlc-chosen >> text={len(group)} selected").wait_for(timeout=WAIT)
    assert selected(page) == group, "for another decision"
    page.get_by_role("button", name=f"Drop {len(group)}").click()
    tallied(page, f"{len(group)} dropped")
    page.keyboard.press("Control+z")
    tallied(page, "0 dropped")
    page.locator(f".tlc-chosen >> text={len(group)} selected").wait_for(timeout=WAIT)
    page.get_by_role("button", name="2 open").click()
    tallied(page, f"{len(group)} looked at")
    journal = ImageSet.open(doors.root, warn=False).journal
    steps = [list(step) for _, step in groupby(journal, key=lambda edit: edit.step)]
    assert [len({edit.file_name for edit in step}) for step in steps] == [len(group)] * 5
    assert {edit.to for edit in steps[-1] if edit.action == "relabel"} == {"open"}
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1, "no key reached the notebook"


IN_VIEW = """() => {
    const port = document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
    const parts = ['.tlc-stage', '.tlc-view', '.tlc-called', '.tlc-why', '.tlc-decide'];
    const nodes = [...parts.flatMap(part => [...document.querySelectorAll(part)]),
        ...[...document.querySelectorAll('.tlc-decide :is(button, select)')].filter(one => one.offsetParent)];
    const out = nodes.filter(node => {
        const box = node.getBoundingClientRect();
        const cut = node.scrollHeight > node.clientHeight + 2 && node.tagName !== 'SELECT';
        return cut || !box.height || box.top < port.top - 1 || box.bottom > port.bottom + 1 ||
            box.left < port.left - 1 || box.right > port.right + 1;
    });
    const words = document.querySelector('.tlc-words'), stage = document.querySelector('.tlc-stage');
    if (words.scrollHeight > words.clientHeight + 1) out.push(words);
    if (stage.clientHeight < Math.min(140, port.height / 8)) out.push(stage);
    return out.map(node => node.className + ' ' + node.textContent.slice(0, 60));
}"""

LABELS = [
    "Übergrößenträger aus gebürstetem Stahl, 2", "باب مفتوح على مصراعيه في نهاية الممر الطويل", "closed",
    *(f"golden retriever, grown up, seen from side {number:02}" for number in range(17)),
]  # fmt: skip
SIDES = {"portrait": (90, 400), "panorama": (900, 60), "tiny": (24, 18), "photo": (320, 240)}


@pytest.fixture
def awkward(tmp_path: Path, backbone: Backbone) -> ImageSet:
    """Twenty labels with long names, and pictures of all shapes and sizes."""
    folder = tmp_path / "awkward"
    folder.mkdir()
    rows = ["file_name,label"]
    for number in range(40):
        kind, (width, height) = list(SIDES.items())[number % 4]
        image = Image.effect_noise((width, height), 40 + number).convert("RGB")
        image.save(folder / f"{kind}_{number:02}.png")
        rows.append(f'{kind}_{number:02}.png,"{LABELS[number // 2]}"')
    (folder / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return ImageSet.open(folder, warn=False)


def test_picture_reason_and_buttons_are_in_view_whatever_is_selected(
    opened: Callable[..., Any], doors: ImageSet, awkward: ImageSet
) -> None:
    page = opened(first=CELL.replace("'doors'", "folder").replace("cleaner =", "folder = 'awkward'\ncleaner ="))
    page.click(".jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current")
    for width, height in ((1200, 1000), (1200, 700), (1200, 560), (900, 700), (900, 560), (480, 700)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(400)
        page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
        if width > 480:
            assert page.evaluate(IN_VIEW) == [], f"at once, with the code above, at {width} x {height}"
        for place in (0, 11, 3):
            card(page, place).click()
            card(page, 5).click(modifiers=["Shift"])
            page.wait_for_timeout(200)
            assert len(selected(page)) > 1
            assert page.evaluate(IN_VIEW) == [], f"{place} at {width} x {height}"
    page.set_viewport_size({"width": 1200, "height": 700})
    for kind, (width, _) in SIDES.items():
        one = page.locator(f".tlc-card[data-name^={kind}] >> nth=0")
        if not one.count():  # on the other page: which are the most suspicious among noise is chance
            page.click(".tlc [aria-label='Next page']:enabled, .tlc [aria-label='Page before']:enabled")
        one.click()
        page.wait_for_function(f"document.querySelector('.tlc-view').naturalWidth === {min(width, 640)}", timeout=WAIT)
        page.wait_for_timeout(100)
        seen = page.evaluate(
            """() => {
                const view = document.querySelector('.tlc-view'), {clientWidth, naturalWidth} = view;
                const higher = view.clientHeight / view.naturalHeight;
                return [clientWidth / naturalWidth, higher, getComputedStyle(view).imageRendering];
            }"""
        )
        assert max(seen[:2]) <= 1 or (kind == "tiny" and seen == [3, 3, "pixelated"]), f"{kind} is not blurred: {seen}"
    # A label without a button of its own is in the list behind them.
    last = max(LABELS)
    page.get_by_label("Give another label").select_option(last)
    tallied(page, "1 looked at")
    assert ImageSet.open(awkward.root, warn=False).journal[-1].action in ("relabel", "keep")


def test_without_its_kernel_it_takes_no_decision(opened: Callable[..., Any], doors: ImageSet) -> None:
    page = opened()
    into_the_grid(page)
    page.keyboard.press("k")
    tallied(page, "1 looked at")
    page.click("li.lm-MenuBar-item:has-text('Kernel')")
    page.click(".lm-Menu-item[data-command='kernelmenu:restart']")
    page.click(".jp-Dialog button.jp-mod-accept")
    page.locator(".tlc >> text=Not connected, run the cell again").wait_for(timeout=WAIT)
    card(page, 5).click(force=True)
    for key in ("d", "1", "u"):
        page.keyboard.press(key)
    assert page.locator(".tlc-decide button:enabled").count() == 0
    assert [edit.action for edit in ImageSet.open(doors.root, warn=False).journal] == ["keep"]
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1


def test_it_is_accessible_in_light_and_dark_and_on_a_phone(opened: Callable[..., Any]) -> None:
    axe()  # skips where there is none, before the page is made
    page = opened()
    into_the_grid(page)
    for key in "d1k2":
        page.keyboard.press(key)
    tallied(page, "4 looked at")
    page.keyboard.press("x")
    page.locator(".tlc-view").wait_for(timeout=WAIT)
    page.get_by_role("button", name="Keys ?").click()
    page.get_by_role("button", name="Report").click()
    page.locator(".tlc-panel td >> nth=0").wait_for(timeout=WAIT)
    assert_accessible_everywhere(page, ".tlc", "cleaner", phone_height=3600)
