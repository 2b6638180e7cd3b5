"""The documentation, built as `make docs` builds it: without a warning, whole, and without a network."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from jaxcnn.ops.rule import RULES


class Page(HTMLParser):
    """What a page points to, and what can be pointed at in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.add(found.get("id"))
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(found["href"])
        self.loads += [found["src"]] if found.get("src") else []


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lost = not there.exists() or (parts.fragment and there.suffix == ".html" and there in pages)
            if lost and not (there.exists() and unquote(parts.fragment) in pages[there].anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken


def test_nothing_comes_from_elsewhere(site, pages):
    assert not [load for page in pages.values() for load in page.loads if urlsplit(load).netloc]
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*['\"]?https?:", style.read_text()), style


def test_every_rule_has_its_arguments_and_its_derivation(site):
    api = "".join(path.read_text() for path in (site / "api").glob("*.html"))
    derived = "".join(path.read_text() for path in (site / "derivations").glob("*.html"))
    for name in RULES:
        assert f'id="jaxcnn.ops.{name}"' in api
        assert f'id="derivation-{name.replace("_", "-")}"' in derived
    shown = {name: api[api.index(f'id="jaxcnn.{name}"') :][:9000] for name in ("ops.conv", "layers.Conv")}
    text = {name: re.sub(r"<[^>]+>|\s", "", html).partition(">")[2] for name, html in shown.items()}
    start = "conv(x:ArrayLike,kernel:ArrayLike,bias:ArrayLike|None=None,*,stride:PerAxis=1,padding:Padding='SAME',"
    assert text["ops.conv"].startswith(start)
    assert text["layers.Conv"].startswith("classConv(features:int,size:int|Sequence[int]=3,stride:")


def test_formulas_are_typeset_and_searched_pages_are_found(site):
    norm = (site / "derivations" / "norm.html").read_text()
    assert norm.count("<math") > 80 and "Σ_" not in re.sub(r'alttext="[^"]*"', "", norm)
    index = (site / "searchindex.js").read_text()
    assert all(page in index for page in ("guide/training", "derivations/conv", "api/verify", "recipes/resume"))
