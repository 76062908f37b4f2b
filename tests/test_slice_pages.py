"""The pages on slices: each topic has one, with its formulas, its sources, a picture, and both ways to call it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("slice-*.md"))
LARGEST_PICTURE = 200_000
WITH_FORMULAS = ["align-stack", "exclusion", "interpolation", "quality", "shifts"]


def test_every_topic_has_a_page() -> None:
    topics = {"table", "quality", "shifts", "align-stack", "exclusion", "interpolation", "report", "workflow"}
    assert {page.stem.removeprefix("slice-") for page in PAGES} == topics


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pictures_are_there_and_small(page: Path) -> None:
    for name in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text("utf-8")):
        picture = page.parent / name
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert picture.stat().st_size <= LARGEST_PICTURE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", WITH_FORMULAS)
def test_a_method_says_how_it_works_and_where_it_comes_from(name: str) -> None:
    text = (DOCS / f"slice-{name}.md").read_text("utf-8")
    assert re.search(r"!\[[^\]]{20,}\]\(images/", text), "no picture that is told in words"
    assert re.search(r"[^\s=<>!]+ = [^\n]*[·/−+√Σ|(]", text), "no formula"
    assert re.search(r"https://doi\.org/10\.\d{4,}/\S+", text), "no source"
    assert "```bash\n" in text
    assert "```python\n" in text
