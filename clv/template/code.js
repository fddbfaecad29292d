const button = document.getElementById("toggle-code");
button.hidden = false;
button.addEventListener("click", () => {
  const show = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", show);
  button.textContent = show ? "Hide the code" : "Show the code";
  for (const code of document.querySelectorAll("details.folded")) { code.hidden = !show; code.open = show; }
});
