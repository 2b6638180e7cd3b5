// On a narrow screen the contents would fill it.
const contents = document.querySelector("nav details");
if (matchMedia("(max-width: 74rem)").matches) contents.open = false;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch { // of a page that is a file some browsers don't let one copy
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "Selected";
    }
  });
}
