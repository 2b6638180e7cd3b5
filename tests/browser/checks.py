"""What every page owes its readers. Each check returns what is wrong, in words, so that a test's failure shows it."""

from collections import Counter

import pytest

# For what the four looks do not matter to.
once = pytest.mark.parametrize("page", ["desktop-light"], indirect=True)


# Without preload it does not fetch the styles, which from a folder a browser refuses, on its console.
OPTIONS = {"resultTypes": ["violations"], "preload": False}


def violations(page):
    """What axe-core finds serious or critical, each with the places where it is."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs jaxcnn[pages-tests]")
    found = axe.Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {', '.join(str(node['target'][0]) for node in rule['nodes'][:5])}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


def overflow(page):
    """By how many pixels the page is wider than its window; a reader would scroll sideways."""
    return page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)")


REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls")


def invalid_html(text):
    """What HTML's own parser has to repair, ids given twice, and references to ids that there are not."""
    html5lib = pytest.importorskip("html5lib", reason="needs jaxcnn[pages-tests]")
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    elements = list(parser.parse(text).iter())
    wrong = [f"line {place[0]}: {error} {about}" for place, error, about in parser.errors]
    ids = Counter(element.get("id") for element in elements if element.get("id") is not None)
    wrong += [f"id {name!r} {count} times" for name, count in ids.items() if count > 1]
    for element in elements:
        named = " ".join(element.get(attribute, "") for attribute in REFERENCES).split()
        link = element.get("href", "")
        named += [link[1:]] if link.startswith("#") and len(link) > 1 else []
        wrong += [f"no id {name!r}, which a <{element.tag}> names" for name in named if name not in ids]
    return wrong


# What people operate. Of radio buttons, and of what is entered by arrow keys (tabindex -1), Tab reaches one.
OPERATED = "a[href], button, input, select, textarea, summary, audio[controls], video[controls], [tabindex]"
LISTEN = f"""() => {{
  window.operated = [...document.querySelectorAll({OPERATED!r})]
    .filter((one) => one.checkVisibility({{ visibilityProperty: true }}) && !one.disabled && one.tabIndex >= 0);
  window.reached = new Set();
  addEventListener("focusin", (event) => reached.add(event.target));
}}"""
MISSED = """operated.filter((one) => !reached.has(one))
  .filter((one) => one.type !== "radio" || ![...reached].some((other) => other.name === one.name))
  .map((one) => one.outerHTML.slice(0, 120))"""


def not_reached_by_tab(page):
    """What can be operated and that Tab alone does not come to, from the top of the page to its end."""
    page.evaluate(LISTEN)
    left = page.evaluate("operated.length") + 20  # boxes that scroll are come to as well
    page.keyboard.press("Tab")
    while left and page.evaluate("document.activeElement !== document.body"):
        page.keyboard.press("Tab")
        left -= 1
    return page.evaluate(MISSED)
