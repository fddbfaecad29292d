// plotly.js is carried gzip-compressed in the page; nothing is fetched.
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly-js").textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const library = document.createElement("script");
  library.textContent = await new Response(unpacked).text();
  document.head.append(library);

  // A view is a name, the places of the traces that it shows, and what else it changes of the chart and its title.
  const choice = (views, place, title) => {
    const label = document.createElement("label"), select = document.createElement("select"), finding = title.textContent;
    label.className = "views";
    label.append("Show ", select);
    for (const [number, view] of views.entries()) select.add(new Option(view.name, number));
    select.addEventListener("change", () => {
      const { traces, data, layout, said } = views[select.value];
      const visible = traces && { visible: place.data.map((_, at) => traces.includes(at)) };
      title.textContent = said ?? finding;
      place.style.minHeight = "";
      Plotly.update(place, { ...visible, ...data }, layout);
    });
    return label;
  };

  const drawn = [];
  for (const chart of document.querySelectorAll("figure.chart")) {
    const { data, layout } = JSON.parse(chart.querySelector("script").textContent);
    const [place, save, title] = [".plot", ".save", ".title"].map((name) => chart.querySelector(name));
    place.style.minHeight = `${place.dataset.height}px`;
    chart.classList.toggle("bars", data.some((trace) => trace.type === "bar" && trace.text));
    // The page writes the title above the chart.
    await Plotly.newPlot(place, data, { ...layout, title: undefined }, { responsive: true, displayModeBar: false });
    chart.classList.toggle("heat", data.some((trace) => trace.type === "heatmap"));
    chart.classList.toggle("dense", data.some((trace) => trace.type === "heatmap" && trace.textfont));
    chart.closest("details")?.addEventListener("toggle", () => Plotly.Plots.resize(place));
    if (layout.meta?.views?.length > 1) place.before(choice(layout.meta.views, place, title));
    drawn.push({ place, named: layout.yaxis?.type === "category" });
    save.hidden = data.length === 0;
    // The picture shows what its reader chose.
    save.addEventListener("click", () => {
      const said = title.textContent.trim(), shown = { ...place.layout, title: { ...layout.title, text: said } };
      Plotly.downloadImage({ data: place.data, layout: { ...shown, width: 1000, paper_bgcolor: "#fff" } },
        { format: "png", scale: 2, width: 1000, height: place.layout.height + 40,
          filename: said.toLowerCase().replace(/[^a-z0-9]+/g, "-") });
    });
  }

  // Browsers that print do not tell a chart how wide the paper is.
  addEventListener("beforeprint", () => drawn.forEach((chart) => {
    chart.height = chart.place.layout.height;
    Plotly.relayout(chart.place, { width: 660, height: (chart.named ? 0.9 : 0.7) * chart.height });
  }));
  addEventListener("afterprint", () => drawn.forEach(({ place, height }) =>
    Plotly.relayout(place, { width: null, height, autosize: true })));
})();
