// Contents stand open only where there is a margin for them. What is folded stands open where no script runs.
const contents = document.querySelector("nav details");
if (contents) contents.open = matchMedia("(min-width: 90rem)").matches;
const folds = [...document.querySelectorAll("details.more")];
for (const fold of folds) fold.open = false;

let opened = [];
addEventListener("beforeprint", () => {
  opened = folds.filter((fold) => !fold.open && !fold.classList.contains("data"));
  for (const fold of opened) fold.open = true;
});
addEventListener("afterprint", () => { for (const fold of opened) fold.open = false; });

const button = document.getElementById("toggle-code");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const show = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", show);
    button.textContent = show ? "Hide the code" : "Show the code";
    for (const code of document.querySelectorAll("details.folded")) { code.hidden = !show; code.open = show; }
  });
}
