for (const button of document.querySelectorAll("#network .unfold")) {
  const blocks = document.querySelectorAll("#network .block");
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = [...blocks].some((block) => !block.open);
    for (const block of blocks) block.open = open;
    button.textContent = open ? "Fold all blocks" : "Unfold all blocks";
  });
}
