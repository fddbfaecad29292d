// plotly.js is carried gzip-compressed in the page; nothing is fetched.
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly-js").textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const library = document.createElement("script");
  library.textContent = await new Response(unpacked).text();
  document.head.append(library);

  const choice = (views, place) => {
    const label = document.createElement("label"), select = document.createElement("select");
    label.className = "views";
    label.append("Show ", select);
    for (const [number, view] of views.entries()) select.add(new Option(view.name, number));
    select.addEventListener("change", () => {
      const chosen = Number(select.value);
      const visible = views.flatMap((view, number) => Array(view.traces).fill(number === chosen));
      Plotly.update(place, { visible }, { "yaxis.title.text": views[chosen].y });
    });
    return label;
  };

  const drawn = [];
  for (const chart of document.querySelectorAll("figure.chart")) {
    const { data, layout } = JSON.parse(chart.querySelector("script").textContent);
    const [place, save, title] = [".plot", ".save", ".title"].map((name) => chart.querySelector(name));
    place.style.minHeight = `${place.dataset.height}px`;
    // The page writes the title above the chart.
    await Plotly.newPlot(place, data, { ...layout, title: undefined }, { responsive: true, displayModeBar: false });
    chart.classList.toggle("heat", data.some((trace) => trace.type === "heatmap"));
    chart.classList.toggle("dense", data.some((trace) => trace.type === "heatmap" && trace.textfont));
    chart.closest("details")?.addEventListener("toggle", () => Plotly.Plots.resize(place));
    if (layout.meta?.views) place.before(choice(layout.meta.views, place));
    drawn.push({ place, height: layout.height, named: layout.yaxis?.type === "category" });
    save.hidden = data.length === 0;
    save.addEventListener("click", () => Plotly.downloadImage(
      { data, layout: { ...layout, width: 1000, paper_bgcolor: "#fff" } },
      { format: "png", scale: 2, width: 1000, height: layout.height + 40,
        filename: title.textContent.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-") }));
  }

  // Browsers that print do not tell a chart how wide the paper is.
  addEventListener("beforeprint", () => drawn.forEach(({ place, height, named }) =>
    Plotly.relayout(place, { width: 660, height: (named ? 0.9 : 0.7) * height })));
  addEventListener("afterprint", () => drawn.forEach(({ place, height }) =>
    Plotly.relayout(place, { width: null, height, autosize: true })));
})();
