"use strict";
// The tables of rows: a click on a heading sorts one, and its search field and a reason's link filter it. Without this
// script they show all rows, and the link leads to the first one.
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

  // the reason whose rows are shown, or null for all
  let reason = null;
  const all = section.querySelector("button.all");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, text] of texts) {
      row.hidden = (reason !== null && row.dataset.reason !== reason) || !words.every((word) => text.includes(word));
      if (!row.hidden) count += 1;
    }
    const isPart = reason !== null || words.length;
    found.textContent = `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}${isPart ? " found" : ""}`;
    all.hidden = !isPart;
  };

  search.addEventListener("input", filter);
  all.addEventListener("click", () => {
    [reason, search.value] = [null, ""];
    filter();
    search.focus();
  });
  // before the browser follows the link to the first of these rows
  document.querySelectorAll(`a[data-table="${table.id}"]`).forEach((link) => link.addEventListener("click", () => {
    [reason, search.value] = [link.dataset.reason, ""];
    filter();
  }));
});
