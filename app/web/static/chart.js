// The chart of rates. Its figures are those of the table below it; without uPlot the table is open.
export function chart(element) {
  const library = window.uPlot;
  if (!element || !library) return () => {};
  let plot = null;

  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const count = (value) => (value == null ? "–" : value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }));

  function size() {
    const box = getComputedStyle(element);
    return { width: element.clientWidth - parseFloat(box.paddingLeft) - parseFloat(box.paddingRight), height: 180 };
  }

  function options() {
    const axis = { stroke: token("--quiet"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "12px " + token("--sans") };
    return {
      ...size(),
      cursor: { y: false, points: { size: 7 } },
      legend: { live: true, markers: { width: 3, dash: (_, i) => (i === 2 ? "dashed" : "solid") } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [
        { ...axis, size: 30, grid: { show: false }, values: [[60, "{HH}:{mm}", null, null, null, null, null, null, 0], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 0]] },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(count) },
      ],
      series: [
        { label: "At", value: "{HH}:{mm}:{ss}" },
        { label: "In", stroke: token("--series-1"), width: 2, value: (_, v) => count(v) },
        { label: "Out", stroke: token("--series-2"), width: 2, dash: [6, 4], value: (_, v) => count(v) },
      ],
    };
  }

  function draw() {
    const holder = document.querySelector("[data-points]");
    element.hidden = !holder;
    if (!holder) return;
    const points = JSON.parse(holder.dataset.points);
    const data = [points.at, points.in, points.out];
    if (plot) plot.setData(data);
    else plot = new library(options(), data, element);
    // Without a pointer over it the legend tells the latest figures.
    if (plot.cursor.idx == null) plot.setLegend({ idx: points.at.length - 1 });
  }

  function renew() {
    plot?.destroy();
    plot = null;
    draw();
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
  new ResizeObserver(() => plot?.setSize(size())).observe(element);
  return draw;
}
