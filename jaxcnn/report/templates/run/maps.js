for (const choice of document.querySelectorAll("#maps .choice")) {
  const panels = document.querySelectorAll("#maps .panel");
  const shown = () => {
    const chosen = choice.querySelector("input:checked").value;
    for (const panel of panels) panel.hidden = panel.dataset.picture !== chosen;
  };
  choice.addEventListener("change", shown);
  shown(); // a browser may remember a choice when it loads the page again
}
