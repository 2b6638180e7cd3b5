// The runs that are shown, on all charts.
for (const button of document.querySelectorAll("[data-toggle]")) {
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", shown);
    for (const one of document.querySelectorAll(`[data-run="${button.dataset.toggle}"]`)) one.classList.toggle("off", !shown);
    charts.draw();
  });
}
