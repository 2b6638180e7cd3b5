// What is too wide is scrolled in its own box, which arrow keys do where Tab comes to it.
function reachable() {
  for (const box of document.querySelectorAll("p, pre, .formulas, .table-wrapper, .scrolls")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachable);
addEventListener("resize", reachable);
