// Tables sort by any column; long ones can be filtered, those of groups by group. Without this script they are complete.
const LONG = 20, LONG_OF_GROUPS = 5;
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

const filterable = (table, grouped) => {
  const rows = [...table.tBodies[0].rows], keeps = [() => true];
  const label = document.createElement("label"), found = document.createElement("output");
  const control = document.createElement(grouped.length ? "select" : "input");
  if (grouped.length) control.add(new Option("all rows", 0));
  else control.type = "search";
  for (const head of grouped) {
    const cell = (row) => row.cells[head.cellIndex].textContent, options = document.createElement("optgroup");
    options.label = head.textContent;
    for (const name of new Set(rows.map(cell))) {
      options.append(new Option(name, keeps.length));
      keeps.push((row) => cell(row) === name);
    }
    control.append(options);
  }
  label.className = "filter";
  label.append(grouped.length ? "Show " : "Filter the rows ", control, " ", found);
  if (table.caption) table.caption.append(label);
  else table.parentElement.before(label);
  control.addEventListener("input", () => {
    const wanted = control.value.trim().toLowerCase();
    const keep = grouped.length ? keeps[wanted] : (row) => row.textContent.toLowerCase().includes(wanted);
    for (const row of rows) row.hidden = !keep(row);
    const kept = rows.filter(keep).length;
    found.textContent = kept < rows.length ? `${kept} of ${rows.length}` : "";
  });
};

for (const table of document.querySelectorAll(".table:not(.data .table) table")) {
  const plain = table.tHead?.rows.length === 1 && table.tBodies[0]?.rows.length > 1 && !table.querySelector("[colspan], [rowspan]");
  if (!plain) continue;
  const grouped = [...table.tHead.querySelectorAll(".by")];
  if (table.tBodies[0].rows.length > (grouped.length ? LONG_OF_GROUPS : LONG)) filterable(table, grouped);
  sortable(table);
}
