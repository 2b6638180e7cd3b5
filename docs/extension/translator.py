"""HTML as Sphinx writes it, but for headings without a level and lists without terms, which no screen reader knows."""

from typing import Any

from docutils.nodes import Element, title
from sphinx.writers.html5 import HTML5Translator

HEADING = 'role="heading"'


class Translator(HTML5Translator):
    """See the module. The methods' names are Sphinx's."""

    def visit_title(self, node: title) -> None:
        before = len(self.body)
        super().visit_title(node)
        self._rewrite(before, {HEADING: f'{HEADING} aria-level="2"'})

    def visit_desc_parameterlist(self, node: Element) -> None:
        self.context.append(len(self.body))
        super().visit_desc_parameterlist(node)

    def depart_desc_parameterlist(self, node: Element) -> None:
        super().depart_desc_parameterlist(node)
        lines = {"<dl>": '<div class="parameters">', "</dl>": "</div>", "<dd>": "<div>", "</dd>": "</div>"}
        self._rewrite(self.context.pop(), lines)

    def _rewrite(self, start: int, words: dict[str, Any]) -> None:
        """Exchange words in what has been written since."""
        for i in range(start, len(self.body)):
            for word, other in words.items():
                self.body[i] = self.body[i].replace(word, other)
