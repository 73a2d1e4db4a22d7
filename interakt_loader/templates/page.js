"use strict";
// The tables of rows: a click on a heading sorts one, and its search field filters it. Without this script they show all
// rows.
document.querySelectorAll("table.rows").forEach((table) => {
  const section = table.closest("section");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const texts = new Map([...body.rows].map((row) => [row, row.textContent.toLowerCase()]));
  const search = section.querySelector("input");
  const found = section.querySelector("[role=status]");

  const sortBy = (at, ascending) => {
    const ofNumbers = heads[at].classList.contains("number");
    const value = (row) => (ofNumbers ? parseFloat(row.cells[at].textContent || -1) : row.cells[at].textContent);
    const compare = ofNumbers ? (a, b) => a - b : (a, b) => a.localeCompare(b);
    const rows = [...body.rows].sort((a, b) => compare(value(a), value(b)) * (ascending ? 1 : -1));
    body.append(...rows);
    heads.forEach((head, i) =>
      head.setAttribute("aria-sort", i !== at ? "none" : ascending ? "ascending" : "descending"));
  };

  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () =>
    sortBy(at, head.getAttribute("aria-sort") !== "ascending")));

  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, text] of texts) {
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) count += 1;
    }
    found.textContent = `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}${words.length ? " found" : ""}`;
  });
});
