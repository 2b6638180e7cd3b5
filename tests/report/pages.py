"""An HTML page read by Python's own parser: whether it is well made, what it points to, and the data in it."""

import json
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}
SELF_CLOSING = {"rect", "circle", "line", "path"}  # SVG's, written with a slash


class Page(HTMLParser):
    """What is read of a page.

    Attributes:
      ids, hrefs: of all elements.
      loads: addresses that a browser would fetch.
      data: the contents of JSON scripts.
      text: what a reader sees, and a screen reader reads, in its order.
    """

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.hrefs, self.loads, self.data, self.text = [], [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute twice: {attrs}"
        if tag not in VOID | SELF_CLOSING:
            self.open.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.hrefs += [attributes["href"]] if "href" in attributes else []
        self.loads += [attributes[name] for name in ("src", "srcset", "data", "poster") if name in attributes]
        self.loads += [attributes["href"]] if tag == "link" else []
        self.text += [attributes["aria-label"]] if "aria-label" in attributes else []

    def handle_startendtag(self, tag, attrs):
        assert tag in SELF_CLOSING, f"<{tag}/>"
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> in {self.open}"
        self.open.pop()

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if tag == "style":
            assert "url(" not in data and "@import" not in data
        elif tag == "script":
            self.data += [json.loads(data)] if attributes.get("type") == "application/json" else []
        else:
            self.text.append(data)
