// Charts as SVG: all numbers, ranges and marks come with the data; here they only get places.
// One path holds all marks of a series, so that a page of clouds stays light.
const Zf = {};
(function () {
  const NS = "http://www.w3.org/2000/svg", FONT = 12.5, LINE = 17;
  const PLOT = 250, ROW = 24, TITLE = 24, BOTTOM = 46, LEFT = 58, RIGHT = 14, GAP = 18;
  const width = (text) => 0.545 * FONT * text.length;
  const nice = (v) => (v < 0 ? "\u2212" : "") + Math.abs(v).toPrecision(4).replace(/\.?0+$/, "");

  function node(parent, tag, attributes, text) {
    const made = document.createElementNS(NS, tag);
    for (const key in attributes) { made.setAttribute(key, attributes[key]); }
    if (text !== undefined) { made.textContent = text; }
    parent.appendChild(made);
    return made;
  }

  const SYMBOLS = {
    circle: (x, y, r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    square: (x, y, r) => `M${x - 0.9 * r},${y - 0.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`,
    diamond: (x, y, r) => `M${x},${y - 1.3 * r}l${1.3 * r},${1.3 * r}l${-1.3 * r},${1.3 * r}l${-1.3 * r},${-1.3 * r}z`,
    triangle: (x, y, r) => `M${x},${y - 1.2 * r}l${1.2 * r},${2.1 * r}h${-2.4 * r}z`,
    cross: (x, y, r) => `M${x - r},${y - r}l${2 * r},${2 * r}M${x - r},${y + r}l${2 * r},${-2 * r}`
  };
  const round = (v) => Math.round(10 * v) / 10;

  function scale(axis, from, to) {
    const f = axis.log ? Math.log10 : (v) => v;
    const low = f(axis.low), high = f(axis.high);
    return (v) => round(from + (to - from) * (f(Math.min(Math.max(v, axis.low), axis.high)) - low) / (high - low || 1));
  }

  function mark(parent, series, places, radius, isFaint) {
    const isOpen = series.hollow || series.symbol === "cross", colour = `var(--t${series.tint})`;
    node(parent, "path", {
      d: places.map(([x, y]) => SYMBOLS[series.symbol](x, y, radius)).join(""),
      fill: isOpen ? (series.symbol === "cross" ? "none" : "var(--panel)") : colour,
      stroke: isOpen ? colour : "var(--panel)", "stroke-width": isOpen ? 1.5 : 0.7,
      opacity: isFaint ? 0.6 : 0.95
    });
  }

  // Names too long for their place are broken at a space or comma.
  function lines(text, room) {
    if (width(text) <= room) { return [text]; }
    const words = text.split(" "), out = [""];
    words.forEach((word) => {
      const last = out[out.length - 1];
      if (last && width(last + " " + word) > room) { out.push(word); } else { out[out.length - 1] = last ? last + " " + word : word; }
    });
    return out;
  }

  function legend(svg, chart, total) {
    const items = new Map();
    chart.panels.forEach((panel) => panel.series.forEach((s) => {
      if (!items.has(s.name) || s.kind === "points") { items.set(s.name, s); }
    }));
    if (items.size < 2) { return 0; }
    let x = 0, y = 10;
    items.forEach((s, name) => {
      const room = 30 + width(name);
      if (x && x + room > total) { x = 0; y += LINE + 2; }
      if (s.kind === "points") { mark(svg, s, [[x + 8, y]], 4); } else {
        node(svg, "path", { d: `M${x},${y}h16`, stroke: `var(--t${s.tint})`, "stroke-width": 2, "stroke-dasharray": s.kind === "level" ? "4 3" : "none" });
      }
      node(svg, "text", { x: x + 22, y: y + 4 }, name);
      x += room;
    });
    return y + LINE;
  }

  // Labels at the ends of lines, pushed apart where they would meet.
  function endLabels(svg, found, x, top, bottom) {
    found.sort((a, b) => a.y - b.y);
    found.forEach((label, k) => { label.at = k ? Math.max(label.y, found[k - 1].at + 15) : Math.max(label.y, top + 4); });
    const over = found.length ? found[found.length - 1].at - bottom : 0;
    if (over > 0) {
      let limit = bottom;
      for (let k = found.length - 1; k >= 0; k--) { found[k].at = Math.min(found[k].at, limit); limit = found[k].at - 15; }
    }
    found.forEach((label) => node(svg, "text", { x: x + 8, y: label.at + 4, fill: `var(--t${label.tint})`, "font-weight": 600 }, label.name));
  }

  function isDirect(chart) {
    const named = chart.panels.flatMap((p) => p.series);
    return chart.panels.length <= 2 && chart.panels.every((p) => !p.names) && named.length > 1 &&
      named.every((s) => s.kind !== "points" || named.some((t) => t.kind === "line" && t.name === s.name));
  }

  Zf.draw = function (element, chart) {
    const total = Math.max(260, Math.round(element.clientWidth)), wished = total < 620 ? 1 : total < 900 ? 2 : chart.columns;
    const columns = Math.min(wished, chart.columns), cell = (total - GAP * (columns - 1)) / columns;
    const direct = isDirect(chart), plot = chart.height || PLOT, points = [];
    const svg = document.createElementNS(NS, "svg");
    svg.setAttribute("font-size", FONT);
    svg.setAttribute("fill", "var(--ink)");
    let y = direct ? 0 : legend(svg, chart, total);
    for (let first = 0; first < chart.panels.length; first += columns) {
      const row = chart.panels.slice(first, first + columns);
      const inside = Math.max(...row.map((p) => p.names ? ROW * p.names.length + 8 : plot));
      const heads = row.map((p) => p.title ? lines(p.title, cell) : []);
      const head = Math.max(...heads.map((h) => h.length)) * LINE + (TITLE - LINE);
      row.forEach((panel, k) => {
        const group = node(svg, "g", {}), x = k * (cell + GAP);
        heads[k].forEach((text, n) => node(group, "text", { x: x, y: y + 12 + LINE * n, "font-weight": 600 }, text));
        drawPanel(group, panel, x, y + head, cell, panel.names ? ROW * panel.names.length + 8 : inside, direct, points);
      });
      y += head + inside + BOTTOM + 8;
    }
    y = Math.ceil(y);
    svg.setAttribute("width", total);
    svg.setAttribute("height", y);
    svg.setAttribute("viewBox", `0 0 ${total} ${y}`);
    svg.setAttribute("aria-hidden", "true");
    element.replaceChildren(svg);
    hover(svg, points);
  };

  function drawPanel(group, panel, x0, top, cell, height, direct, points) {
    const names = panel.names, bottom = top + height;
    const room = Math.min(names ? Math.max(...names.map(width)) + 14 : LEFT, 0.48 * cell);
    const labels = direct ? 1.15 * Math.max(...panel.series.map((s) => width(s.name))) + 14 : RIGHT;
    let left = x0 + room, right = x0 + cell - labels;
    if (panel.diagonal) { right = Math.min(right, left + height * 1.15); }
    const value = names ? panel.y : panel.x, X = scale(value, left, right);
    const place = names ? (v) => round(top + 4 + ROW * (names.indexOf(v) + 0.5)) : scale(panel.y, bottom, top);
    const across = value.ticks.map(([t]) => `M${X(t)},${top}V${bottom}`).join("");
    const down = names ? names.map((n) => `M${left},${place(n)}H${right}`).join("") : panel.y.ticks.map(([t]) => `M${left},${place(t)}H${right}`).join("");
    node(group, "path", { d: across + down, stroke: "var(--line)", "stroke-width": 1, fill: "none" });
    const zero = value.low < 0 && value.high > 0 && !value.log ? `M${X(0)},${top}V${bottom}` : "";
    node(group, "path", { d: `M${left},${top}V${bottom}H${right}` + zero, stroke: "var(--soft)", "stroke-width": 1, fill: "none" });
    let last = -1e9;
    value.ticks.forEach(([t, text]) => {
      if (X(t) - last < width(text) + 8) { return; }
      last = X(t);
      node(group, "text", { x: X(t), y: bottom + 17, "text-anchor": "middle", fill: "var(--soft)" }, text);
    });
    if (names) {
      names.forEach((n) => node(group, "text", { x: left - 8, y: place(n) + 4, "text-anchor": "end" }, n));
    } else {
      panel.y.ticks.forEach(([t, text]) => node(group, "text", { x: left - 7, y: place(t) + 4, "text-anchor": "end", fill: "var(--soft)" }, text));
      node(group, "text", { x: x0 + 11, y: top + height / 2, transform: `rotate(-90 ${x0 + 11} ${top + height / 2})`, "text-anchor": "middle", fill: "var(--soft)" }, panel.yLabel);
    }
    const title = names ? panel.yLabel : panel.xLabel;
    node(group, "text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle", fill: "var(--soft)" }, title);
    if (panel.diagonal) {
      node(group, "path", { d: `M${left},${bottom}L${right},${top}`, stroke: "var(--soft)", "stroke-dasharray": "2 3" });
    }
    const others = panel.series.filter((s) => s.kind !== "level"), ends = [];
    panel.series.forEach((s) => {
      const colour = `var(--t${s.tint})`;
      if (s.kind === "level") {
        const v = s.y[0], d = names ? `M${X(v)},${top}V${bottom}` : `M${left},${place(v)}H${right}`;
        node(group, "path", { d: d, stroke: colour, "stroke-width": 1.6, "stroke-dasharray": "5 4" });
        if (direct) { ends.push({ name: s.name, tint: s.tint, y: place(v) }); }
        return;
      }
      const shift = names ? round((others.indexOf(s) - 0.5 * (others.length - 1)) * Math.min(5, 16 / others.length)) : 0;
      const at = s.x.map((v, k) => s.y[k] === null || v === null ? null : names ? [X(s.y[k]), place(v) + shift] : [X(v), place(s.y[k])]);
      const known = at.filter(Boolean);
      if (!known.length) { return; }
      if (s.low) {
        node(group, "path", {
          d: at.map((p, k) => !p || s.low[k] === null ? "" : names ? `M${X(s.low[k])},${p[1]}H${X(s.high[k])}` : `M${p[0]},${place(s.low[k])}V${place(s.high[k])}`).join(""),
          stroke: colour, "stroke-width": 1.4, fill: "none", opacity: 0.8
        });
      }
      if (s.kind === "line") {
        node(group, "path", { d: known.map((p, k) => (k ? "L" : "M") + p).join(""), stroke: colour, "stroke-width": 2.2, "stroke-linejoin": "round", fill: "none" });
        if (known.length < 12) { mark(group, s, known, 3.6); }
        if (direct) { ends.push({ name: s.name, tint: s.tint, y: known[known.length - 1][1] }); }
      } else { mark(group, s, known, known.length < 60 ? 4.2 : 2.6, known.length > 150); }
      at.forEach((p, k) => {
        if (!p) { return; }
        const range = s.low && s.low[k] !== null ? ` (${nice(s.low[k])} to ${nice(s.high[k])})` : "";
        const head = s.note ? s.note[k] : s.name;
        points.push([p[0], p[1], names ? `${head}\n${s.x[k]}: ${nice(s.y[k])}${range}` : `${head}\n${nice(s.x[k])}, ${nice(s.y[k])}${range}`]);
      });
    });
    if (direct) { endLabels(group, ends, right, top, bottom); }
  }

  let tip = null;
  function hover(svg, points) {
    const ring = node(svg, "circle", { r: 7, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5, visibility: "hidden" });
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), x = event.clientX - box.x, y = event.clientY - box.y;
      let best = null, nearest = 400;
      points.forEach((p) => {
        const d = (p[0] - x) ** 2 + (p[1] - y) ** 2;
        if (d < nearest) { nearest = d; best = p; }
      });
      if (!tip) {
        tip = document.createElement("div");
        tip.className = "tip";
        document.body.appendChild(tip);
      }
      tip.hidden = !best;
      ring.setAttribute("visibility", best ? "visible" : "hidden");
      if (!best) { return; }
      ring.setAttribute("cx", best[0]);
      ring.setAttribute("cy", best[1]);
      tip.textContent = best[2];
      tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
      tip.style.top = event.clientY + 14 + "px";
    });
    svg.addEventListener("pointerleave", () => { if (tip) { tip.hidden = true; } ring.setAttribute("visibility", "hidden"); });
  }

  // The drawing as a file: variables of the theme become the colours they stand for.
  Zf.svgText = function (element) {
    const style = getComputedStyle(document.documentElement), svg = element.querySelector("svg").cloneNode(true);
    svg.setAttribute("xmlns", NS);
    svg.setAttribute("font-family", "sans-serif");
    return svg.outerHTML.replace(/var\((--\w+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  };

  Zf.csv = function (chart) {
    const quote = (v) => v === null || v === undefined ? "" : /[",\n]/.test(v) ? '"' + String(v).replace(/"/g, '""') + '"' : v;
    const rows = [["panel", "series", "x_axis", "y_axis", "x", "y", "y_low", "y_high", "note"]];
    chart.panels.forEach((p) => p.series.forEach((s) => s.y.forEach((y, k) =>
      rows.push([p.title, s.name, p.xLabel, p.yLabel, s.x[k], y, s.low && s.low[k], s.high && s.high[k], s.note && s.note[k]]))));
    return rows.map((row) => row.map(quote).join(",")).join("\n") + "\n";
  };

  Zf.save = function (text, name, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
}());
