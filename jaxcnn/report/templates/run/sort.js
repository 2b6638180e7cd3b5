// A heading sorts its table: by numbers where all are, else by words.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...table.tBodies[0].rows];
    const numeric = rows.every((row) => key(row) !== "" && !Number.isNaN(Number(key(row))));
    const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, undefined, { numeric: true });
    table.tBodies[0].append(...rows.sort((a, b) => sign * compare(key(a), key(b))));
  }));
}
