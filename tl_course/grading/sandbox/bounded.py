"""A kernel's messages, none longer than a limit: what is too long is cut, and the cell says so."""

from typing import Any

from jupyter_client.session import Session
from traitlets import Int

__all__ = ["BoundedSession", "image_size", "shortened", "size_of"]

_LINES, _LINE, _NAME = 100, 5_000, 200  # of a traceback; characters of each, and of an error's text; of its name


class BoundedSession(Session):
    """A session that sends no content above `most` characters, see `shortened`, and nothing to widgets."""

    most = Int(1 << 20, help="Characters of a message, but for images.").tag(config=True)
    images = Int(16 << 20, help="Characters of the images in a message.").tag(config=True)

    def send(  # noqa: D102 - as in the base class
        self, stream: Any, msg_or_type: Any, content: Any = None, *arguments: Any, **options: Any
    ) -> Any:
        if isinstance(msg_or_type, dict):
            kind, content = msg_or_type.get("msg_type", ""), msg_or_type.get("content")
        else:
            kind = str(msg_or_type)
        if kind.startswith("comm_"):  # nobody sees widgets in a notebook that is graded
            return None
        kept = shortened(kind, content, self.most, self.images)
        if kept is not content:
            content = kept
            if isinstance(msg_or_type, dict):
                msg_or_type = msg_or_type | {"content": kept}
        return super().send(stream, msg_or_type, content, *arguments, **options)


def size_of(value: Any) -> int:
    """About how long a message's content is: the characters and bytes in it, and a little for each thing."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, memoryview):
        return value.nbytes
    if isinstance(value, dict):
        return sum(size_of(name) + size_of(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return sum(map(size_of, value))
    return 8


def image_size(content: Any) -> int:
    """Characters of the images that a message shows."""
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        return 0
    return sum(size_of(value) for kind, value in data.items() if str(kind).startswith("image/"))


def shortened(kind: str, content: Any, most: int, images: int = 0) -> Any:
    """The content of a message of this `kind`, the same object where it is short enough, its `images` apart.

    Printed text and errors are cut, what is shown is left out, and each says so.
    """
    if not isinstance(content, dict) or (size := size_of(content)) <= most:
        return content
    if size - (drawn := image_size(content)) <= most and drawn <= images:
        return content
    left_out = f"[Of {size:,} characters, at most {most:,} are kept at a time: the rest was left out.]"
    if kind == "stream":
        return content | {"text": f"{str(content.get('text', ''))[:most]}\n{left_out}\n"}
    if "ename" in content:  # an error, or the answer of a cell that ended with one
        lines = [str(line)[:_LINE] for line in list(content.get("traceback", ()))[-_LINES:]]
        return content | {
            "ename": str(content["ename"])[:_NAME],
            "evalue": f"{str(content.get('evalue', ''))[:_LINE]} {left_out}",
            "traceback": [*lines, left_out],
        }
    if "data" in content and kind in ("execute_result", "display_data", "update_display_data"):
        text = content["data"].get("text/plain", "") if isinstance(content["data"], dict) else ""
        return content | {"data": {"text/plain": f"{str(text)[:_LINE]} {left_out}"}, "metadata": {}}
    return content | {"payload": [], "user_expressions": {}} if kind == "execute_reply" else content
