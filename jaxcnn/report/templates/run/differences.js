// A heading sorts its table: by numbers where all are, else by words.
for (const table of document.querySelectorAll("table.sorted")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of headings) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const key = (row) => row.cells[column].dataset.key;
    const rows = [...body.rows];
    const numeric = rows.every((row) => key(row) !== "" && !Number.isNaN(Number(key(row))));
    rows.sort((a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, { numeric: true })));
    if (down) rows.reverse();
    body.append(...rows);
  }));
}
