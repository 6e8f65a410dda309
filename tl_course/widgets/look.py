"""What all widgets share of their looks, their pages' code and their words."""

from pathlib import Path

__all__ = ["looks", "many"]

_HERE = Path(__file__).parent


def looks(name: str) -> tuple[str, str]:
    """The module and the style sheet of a widget: what all share, then ``name.js`` and ``name.css``."""
    module, style = (
        "\n".join((_HERE / f"{part}.{kind}").read_text(encoding="utf-8") for part in ("look", name))
        for kind in ("js", "css")
    )
    return module, style


def many(n: int) -> str:
    """So many pictures, in words."""
    return f"{n} picture{'s' * (n != 1)}"
