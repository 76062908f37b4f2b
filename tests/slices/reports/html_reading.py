"""Reads a page as a browser would, and refuses what is not well formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "wbr"}
SHAPES = {"line", "circle", "rect"}


@dataclass
class Element:
    """A tag with what is in it, texts and elements in their order."""

    tag: str
    attributes: dict[str, str | None]
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self):
        """The elements in it."""
        return [one for one in self.content if isinstance(one, Element)]

    def all(self, tag, **wanted):
        """Find elements below this one; ``class_`` matches one of the classes."""
        found = []
        for one in self.children:
            classes = (one.attributes.get("class") or "").split()
            if one.tag == tag and all(value in classes for value in wanted.values()):
                found.append(one)
            found += one.all(tag, **wanted)
        return found

    @property
    def words(self):
        """All text in it."""
        return " ".join("".join(map(_told, self.content)).split())


def _told(part):
    """Give a part as text: elements are apart from what stands beside them, but for places to break a word."""
    return part if isinstance(part, str) else "" if part.tag == "wbr" else f" {part.words} "


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} stands twice"
        made = Element(tag, dict(attrs))
        self.open[-1].content.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag, attrs):
        assert tag in SHAPES, f"{tag} cannot close itself"
        self.open[-1].content.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].content.append(data)


def parse(text):
    """Read a page; every tag must be closed in its turn."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root], f"left open: {[one.tag for one in reader.open[1:]]}"
    ids = [value for one in _every(reader.root) for name, value in one.attributes.items() if name == "id"]
    assert len(ids) == len(set(ids)), "an id stands twice"
    return reader.root


def _every(element):
    for one in element.children:
        yield one
        yield from _every(one)
