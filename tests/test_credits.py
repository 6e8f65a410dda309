"""Credits: everyone is named, and nothing that a stranger wrote becomes more than text."""

import re
import warnings
import zipfile
from html.parser import HTMLParser
from pathlib import Path

from tests.drawn import jpeg
from tl_course import ImageSet
from tl_course.data.attribution import credits_html, credits_markdown
from tl_course.data.collection import Candidate, Collection, prepare
from tl_course.data.table import Picture

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[here](javascript:alert(1))",
    "![x](https://evil.example/track.gif)",
    "a | b\n# A heading\n<iframe>",
    "`code` *bold* _it_ <b> &lt;",
    "\u202egnp.exe \x00\x1b[31m",
]
LINKS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<b>",
    " file:///etc/passwd",
    "//evil.example",
    "x",
]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def picture(number: int, **known: str) -> Picture:
    extra = {key: known.pop(key, "") for key in ("title", "page", "license_url")}
    return Picture(f"cat/{number}.jpg", label="cat", extra=extra, **known)


def test_a_pack_brings_its_credits_and_opens_without_a_word(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "pets")
    for number in range(6):
        its = Candidate(
            label="cat" if number % 2 else "dog",
            url=f"https://photos.example/{number}.jpg",
            source="openverse",
            creator=f"Anna Müller {number}",
            license="CC-BY-4.0",
            license_url="https://creativecommons.org/licenses/by/4.0/",
            page=f"https://photos.example/landing/{number}?a=1&b=2",
            title=f"Sleeping {number}",
        )
        collection.add(its, prepare(jpeg(number)))
    digest = collection.images.pack(tmp_path / "pets.zip")
    with zipfile.ZipFile(tmp_path / "pets.zip") as archive:
        page, markdown = (archive.read(f"credits.{kind}").decode() for kind in ("html", "md"))
    for number, one in enumerate(sorted(collection.images, key=lambda one: one.url)):
        address = f"https://photos.example/landing/{number}?a=1&b=2"
        assert {"href": address, "rel": "nofollow noreferrer"} in [its for _, its in Page(page).tags]
        assert f"[Sleeping {number}](<{address}>) by Anna Müller {number}, {one.file_name}" in markdown
        for text in (f"Anna Müller {number}", f"Sleeping {number}", one.file_name):
            assert text in Page(page).text
    assert "[CC\\-BY\\-4.0](<https://creativecommons.org/licenses/by/4.0/>)" in markdown
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = ImageSet.open(tmp_path / "pets.zip", sha256=digest)
    assert opened.skipped == []
    assert opened.pack(tmp_path / "under_another_name.zip") == digest


def test_what_strangers_wrote_stays_text() -> None:
    pictures = [
        picture(n, creator=text, title=text, license=text, source=text, page=link, url=link, license_url=link)
        for n, (text, link) in enumerate((text, link) for text in HOSTILE for link in LINKS)
    ]
    page = Page(credits_html(pictures))
    allowed = {"html", "meta", "title", "style", "h1", "h2", "p", "table", "thead", "tr", "th", "td"}
    assert {tag for tag, _ in page.tags} == allowed
    assert not any(name.startswith("on") or name in ("href", "src") for _, its in page.tags for name in its)
    assert "<script>alert(1)</script>" in page.text

    markdown = credits_markdown(pictures)
    assert not re.search(r"(?<!\\)[<`*_]", markdown)
    assert not re.search(r"(?<!\\)\]\(", markdown)
    assert [line for line in markdown.splitlines() if line.startswith("# ")] == ["# Picture credits"]
    assert "\u202e" not in markdown + page.text
    assert "\x1b" not in markdown + page.text


def test_an_address_cannot_end_its_own_link() -> None:
    pictures = [picture(1, title="A", page='https://a.example/>) <script>x</script>"onclick="y')]
    page = Page(credits_html(pictures))
    assert [tag for tag, _ in page.tags if tag in ("a", "script")] == ["a"]
    (link,) = [its for tag, its in page.tags if tag == "a"]
    assert set(link) == {"href", "rel"}
    assert "- [A](<https://a.example/%3E%29%20%3Cscript%3Ex%3C/script%3E%22onclick=%22y>)" in credits_markdown(pictures)


def test_groups_are_counted_and_what_has_no_licence_is_said() -> None:
    pictures = [
        *(picture(n, source="openverse", license="CC0-1.0") for n in range(3)),
        *(picture(n, source="openverse", license="CC-BY-4.0") for n in range(3, 5)),
        *(picture(n, source=f"someone/cats:training/{n}.jpg", license="unstated") for n in range(5, 9)),
        picture(9, source="https://photos.example/9.jpg"),
    ]
    markdown = credits_markdown(pictures)
    assert "10 pictures: 5 under a licence that is known, 5 under none that is known." in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "| someone/cats | No known licence | 4 |",
        "| openverse | CC0\\-1.0 | 3 |",
        "| openverse | CC\\-BY\\-4.0 | 2 |",
        "| photos.example | No known licence | 1 |",
    ]
    assert markdown.count("Ask their makers before you pass these pictures on.") == 2
    assert "10 pictures: 5 under a licence" in Page(credits_html(pictures)).text
    assert credits_html(pictures[::-1]) == credits_html(pictures)
