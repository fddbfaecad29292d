// On a phone the contents would push the first findings off the screen.
const contents = document.querySelector("nav details");
if (contents) contents.open = matchMedia("(min-width: 40rem)").matches;

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
