// plotly.js is carried gzip-compressed in the page; nothing is fetched.
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("plotly-js").textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const library = document.createElement("script");
  library.textContent = await new Response(unpacked).text();
  document.head.append(library);
  for (const chart of document.querySelectorAll("figure.chart")) {
    const figure = JSON.parse(chart.querySelector("script").textContent);
    const place = document.createElement("div");
    place.style.height = chart.style.minHeight;
    chart.append(place);
    await Plotly.newPlot(place, figure.data, figure.layout,
      { responsive: true, displaylogo: false, showSendToCloud: false });
    chart.querySelector(".fallback").remove();
  }
})();
