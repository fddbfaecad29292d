// Tables sort by any column; long ones can be filtered. Without this script they are complete.
const LONG = 20;
const NUMBER = /^[^\dA-Za-z]*\d/, DAY = /^\d{4}-\d\d/;

// "1,250 to 1,400" sorts by 1250, "-12 %" by -12.
const number = (text) => parseFloat(text.replace(/,/g, "").replace("−", "-").replace(/^[^\d.-]+/, ""));

const comparison = (texts) => {
  const filled = texts.filter(Boolean);
  const numeric = filled.length > 0 && filled.every((text) => NUMBER.test(text) && !DAY.test(text));
  const compare = numeric ? (a, b) => number(a) - number(b) : (a, b) => a.localeCompare(b, "en", { numeric: true });
  return { numeric, compare };
};

const sortable = (table) => {
  const body = table.tBodies[0], original = [...body.rows], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    const meaning = button.querySelector("abbr");
    if (meaning) { button.title = meaning.title; meaning.replaceWith(...meaning.childNodes); }
    head.append(button);
    const cell = (row) => row.cells[column].textContent.trim();
    const { numeric, compare } = comparison(original.map(cell));
    // Largest first, smallest first, as it was; words the other way round.
    const turns = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
    button.addEventListener("click", () => {
      const turn = turns[(turns.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (turn) head.setAttribute("aria-sort", turn);
      const sign = turn === "descending" ? -1 : 1;
      const blank = (row) => cell(row) === "";
      body.append(...(turn ? original.toSorted((a, b) => blank(a) - blank(b) || sign * compare(cell(a), cell(b))) : original));
    });
  });
};

const filterable = (table) => {
  const rows = [...table.tBodies[0].rows];
  const label = document.createElement("label"), box = document.createElement("input"), found = document.createElement("output");
  box.type = "search";
  label.className = "filter";
  label.append("Filter the rows ", box, " ", found);
  table.parentElement.before(label);
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    found.textContent = wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
};

for (const table of document.querySelectorAll(".table:not(.data .table) table")) {
  const plain = table.tHead?.rows.length === 1 && table.tBodies[0]?.rows.length > 1 && !table.querySelector("[colspan], [rowspan]");
  if (plain) sortable(table);
  if (plain && table.tBodies[0].rows.length > LONG) filterable(table);
}
