// 36 hours: price behind, use stacked above zero, supply below, battery level as a line, a hairline at now.
(() => {
  "use strict";
  const box = document.getElementById("chart");
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const said = document.getElementById("touched");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = { house: "--house", heat: "--heat", car: "--car", battery_charge: "--battery", export: "--grid",
    solar: "--sun", battery_discharge: "--battery", import: "--grid" };
  const NAMES = { house: "House", heat: "Heat", car: "Car", battery_charge: "Battery charging", export: "Sold",
    solar: "Sun", battery_discharge: "Battery", import: "Bought" };
  const known = data.price.filter((p) => p !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];

  // The outermost sum is drawn first, each inner one over it.
  function stack(columns) {
    const sums = data.times.map(() => 0);
    return Object.entries(columns).map(([key, values]) =>
      [key, values.map((v, i) => (v === null ? null : (sums[i] += v)))]).reverse();
  }
  const up = stack(data.up), down = stack(data.down);
  const stepped = uPlot.paths.stepped({ align: 1 });
  const zone = (t, options) => new Intl.DateTimeFormat("en-GB", { timeZone: data.zone, ...options }).format(new Date(t * 1000));
  const clock = (t) => zone(t, { hour: "2-digit", minute: "2-digit" });

  // A day begins with its name; where there is little room an hour is its number.
  const hourWords = (t, narrow) => clock(t) === "00:00" ? zone(t, { weekday: "short" }) : clock(t).slice(0, narrow ? 2 : 5);

  function priceBand(u) {
    if (!known.length || high === low) return;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = css("--price");
    data.price.forEach((p, i) => {
      if (p === null) return;
      const from = u.valToPos(data.times[i], "x", true), to = u.valToPos(data.times[i] + 900, "x", true);
      ctx.globalAlpha = 0.24 * (p - low) / (high - low);
      ctx.fillRect(from, bbox.top, to - from + 0.5, bbox.height);
    });
    ctx.restore();
  }
  function nowLine(u) {
    const { ctx, bbox } = u, x = Math.round(u.valToPos(data.now, "x", true)), zero = u.valToPos(0, "y", true);
    ctx.save();
    ctx.fillStyle = css("--card");
    ctx.globalAlpha = 0.28;
    ctx.fillRect(bbox.left, bbox.top, x - bbox.left, bbox.height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = css("--ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, zero); ctx.lineTo(bbox.left + bbox.width, zero);
    ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }
  // Hours on the local clock, whatever the browser's zone.
  function hours(u, axis, min, max) {
    const every = u.width < 520 ? 6 : 3, found = [];
    for (let t = Math.ceil(min / 3600) * 3600; t <= max; t += 3600)
      if (Number(zone(t, { hour: "2-digit" })) % every === 0) found.push(t);
    return found;
  }
  const area = ([key]) => ({ label: key, scale: "y", paths: stepped, points: { show: false }, width: 0,
    fill: () => css(COLOURS[key]), stroke: () => css(COLOURS[key]) });
  const text = () => css("--soft"), grid = { stroke: () => css("--line"), width: 1 };
  const font = "12px system-ui, sans-serif";

  const options = () => ({
    width: box.clientWidth, height: box.clientWidth < 520 ? 320 : 400,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (u, min, max) => [Math.min(min, -1) * 1.06, Math.max(max, 1) * 1.06] }, soc: { range: [0, 100] } },
    axes: [
      { stroke: text, grid, ticks: { show: false }, font, size: 30, splits: hours, values: (u, splits) => splits.map((t) => hourWords(t, u.width < 520)) },
      { stroke: text, grid, ticks: { show: false }, font, size: 52, values: (u, v) => v.map((x) => `${Math.abs(x)} kW`) },
      { scale: "soc", side: 1, stroke: () => css("--soc"), grid: { show: false }, ticks: { show: false }, font, size: 48, values: (u, v) => v.map((x) => `${x} %`) },
    ],
    series: [{}, ...up.map(area), ...down.map(area),
      { label: "soc", scale: "soc", stroke: () => css("--card"), width: 5, points: { show: false } },
      { label: "soc", scale: "soc", stroke: () => css("--soc"), width: 2.5, points: { show: false } }],
    hooks: { drawClear: [priceBand], draw: [nowLine], setCursor: [(u) => tell(u.cursor.idx)] },
  });
  const columns = [data.times, ...up.map((s) => s[1]), ...down.map((s) => s[1]), data.soc, data.soc];

  function paragraph(words, kind) {
    const p = document.createElement("p");
    p.textContent = words;
    if (kind) p.className = kind;
    return p;
  }
  function figures(i) {
    const parts = [];
    for (const [key, values] of [...Object.entries(data.up), ...Object.entries(data.down)])
      if (values[i] !== null && Math.abs(values[i]) >= 0.05) parts.push(`${NAMES[key]} ${Math.abs(values[i]).toFixed(1)} kW`);
    if (data.soc[i] !== null) parts.push(`battery at ${Math.round(data.soc[i])} %`);
    return parts.join(" · ") || "nothing known";
  }
  let told = null;
  function tell(i) {
    if (i === null || i === undefined || i === told) return;
    told = i;
    const t = data.times[i], price = data.price[i];
    const paid = price === null ? "" : ` · ${box.dataset.currency} ${price.toFixed(3)} per kWh`;
    const lines = [paragraph(`${zone(t, { weekday: "short" })} ${clock(t)} ${t + 900 <= data.now ? "(measured)" : t <= data.now ? "(now)" : "(planned)"}${paid}`, "b-when"), paragraph(figures(i), "meta")];
    for (const block of data.blocks)
      if (block.from < t + 900 && block.to > t && t + 900 > data.now)
        lines.push(paragraph(`${block.text}. ${block.reason} ${block.costs}`));
    said.replaceChildren(...lines);
  }

  let plot = new uPlot(options(), columns, box);
  const again = () => { plot.destroy(); plot = new uPlot(options(), columns, box); };
  let width = box.clientWidth;
  new ResizeObserver(() => { if (box.clientWidth !== width) { width = box.clientWidth; again(); } }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  // By keyboard: arrows move along the hours.
  box.tabIndex = 0;
  box.setAttribute("role", "slider");
  box.setAttribute("aria-label", "Time in the chart; arrow keys move by a quarter of an hour");
  let at = data.times.findIndex((t) => t + 900 > data.now);
  const move = () => { box.setAttribute("aria-valuenow", at); box.setAttribute("aria-valuetext", clock(data.times[at]));
    plot.setCursor({ left: plot.valToPos(data.times[at] + 450, "x"), top: 10 }); tell(at); };
  box.setAttribute("aria-valuemin", 0); box.setAttribute("aria-valuemax", data.times.length - 1);
  box.setAttribute("aria-valuenow", at); box.setAttribute("aria-valuetext", clock(data.times[at] || data.now));
  if (at >= 0) tell(at);
  box.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    at = Math.min(data.times.length - 1, Math.max(0, at + by));
    move();
  });
})();
