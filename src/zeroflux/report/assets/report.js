(function () {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const make = (parent, tag, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const minus = (text) => text.replace("-", "\u2212");
  const signed = (v) => (v < 0 ? "\u2212" : "+") + Math.abs(v).toFixed(1);

  // ---- charts -------------------------------------------------------------------------------
  function draw(element) {
    const chart = payload.charts[element.dataset.chart], n = Number(element.dataset.panels || 1000);
    Zf.draw(element, { ...chart, panels: chart.panels.slice(0, n), height: element.closest(".pair") ? 290 : undefined });
  }
  const drawAll = () => document.querySelectorAll(".plot").forEach((e) => { if (e.clientWidth) { draw(e); } });
  let pending = null, lastWidth = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === lastWidth) { return; }
    lastWidth = window.innerWidth;
    clearTimeout(pending);
    pending = setTimeout(drawAll, 120);
  });
  window.addEventListener("beforeprint", drawAll);

  // ---- details: built when they are opened for the first time -------------------------------
  document.querySelectorAll("details[data-charts]").forEach((details) => details.addEventListener("toggle", () => {
    if (details.dataset.built) { return; }
    details.dataset.built = "true";
    const names = (kind) => details.dataset[kind].split(" ").filter(Boolean);
    names("charts").forEach((name) => addChart(details, name));
    names("tables").forEach((name) => addTable(details, name));
  }));

  function button(parent, text, action) {
    make(parent, "button", { type: "button", textContent: text }).addEventListener("click", action);
  }

  function addChart(parent, name) {
    const chart = payload.charts[name], figure = make(parent, "figure", {});
    make(figure, "h3", { textContent: chart.title });
    const plot = make(figure, "div", { className: "plot" });
    plot.dataset.chart = name;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", chart.title);
    make(figure, "figcaption", { textContent: chart.caption });
    const row = make(figure, "p", { className: "downloads" });
    button(row, "Figure as SVG", () => Zf.save(Zf.svgText(plot), name + ".svg", "image/svg+xml"));
    button(row, "Data as CSV", () => Zf.save(Zf.csv(chart), name + ".csv", "text/csv"));
    draw(plot);
  }

  function cell(value) {
    if (value === null) { return "\u2013"; }
    if (typeof value === "string") { return value; }
    if (Number.isInteger(value)) { return minus(value.toLocaleString("en")); }
    const size = Math.abs(value);
    return size < 1e-6 ? "0" : minus(size >= 0.1 && size < 1e4 ? value.toFixed(3) : value.toPrecision(3));
  }

  function addTable(parent, name) {
    const { title, caption, columns, rows } = payload.tables[name], figure = make(parent, "figure", { className: "table" });
    make(figure, "h3", { textContent: title });
    make(figure, "figcaption", { textContent: caption + " Select a heading to sort." });
    const scroll = make(figure, "div", { className: "scroll tall", tabIndex: 0 });
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", title);
    const table = make(scroll, "table", { className: "sortable" }), head = make(make(table, "thead", {}), "tr", {});
    const body = make(table, "tbody", {});
    const isNumber = columns.map((_, k) => rows.every((row) => typeof row[k] !== "string"));
    const fill = () => body.replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      row.forEach((value, k) => make(line, "td", { textContent: cell(value), className: isNumber[k] ? "number" : "" }));
      return line;
    }));
    columns.forEach((column, k) => {
      const th = make(head, "th", { scope: "col", className: isNumber[k] ? "number" : "" });
      button(th, column, () => {
        const direction = th.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        Array.from(head.cells).forEach((other) => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        rows.sort((a, b) => {
          const x = a[k], y = b[k];
          if (x === null || y === null) { return (x === null) - (y === null); }
          return direction * (isNumber[k] ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true }));
        });
        fill();
      });
    });
    fill();
    const quote = (v) => v === null ? "" : /[",\n]/.test(v) ? '"' + String(v).replace(/"/g, '""') + '"' : v;
    button(make(figure, "p", { className: "downloads" }), "Data as CSV", () =>
      Zf.save([columns, ...rows].map((row) => row.map(quote).join(",")).join("\n") + "\n", name + ".csv", "text/csv"));
  }

  // ---- the box ------------------------------------------------------------------------------
  const RADII = { He: 0.85, Ne: 0.95, Ar: 1.15, Kr: 1.45, Xe: 1.6 };
  function setUpBox() {
    const canvas = document.getElementById("box"), frames = payload.boxes;
    if (!canvas || !frames.length) { return null; }
    const get = (id) => document.getElementById(id), picker = get("box-frame"), fieldPicker = get("box-field");
    frames.forEach((frame, k) => picker.add(new Option(frame.name, String(k))));
    Object.keys(frames[0].fields).forEach((name) => fieldPicker.add(new Option(name, name)));
    const rank = (frame) => 1000 * new Set(frame.symbols).size + frame.symbols.length;
    picker.value = String(frames.reduce((best, frame, k) => rank(frame) > rank(frames[best]) ? k : best, 0));
    const say = (k) => {
      const frame = frames[Number(picker.value)], name = fieldPicker.value;
      get("box-status").textContent = k < 0
        ? "Each ball is an atom, its colour the energy relative to the mean of its element in its system. Drag to turn."
        : `${frame.symbols[k]} ${k + 1}, ${name}: ${signed(frame.fields[name][k])} meV`;
    };
    const viewer = new Zf.Viewer(canvas, { onHover: say });

    function show() {
      const frame = frames[Number(picker.value)], name = fieldPicker.value, values = frame.fields[name];
      const scale = name.startsWith("local \u2212") ? "difference" : "energy";
      // A single extreme atom would push all others into one colour: 5 % at either end share it.
      const all = frames.filter((f) => f.system === frame.system).flatMap((f) => f.fields[name]).sort((a, b) => a - b);
      const at = (share) => all[Math.round(share * (all.length - 1))];
      let low = at(0.05), high = at(0.95);
      if (scale === "difference") { high = Math.max(-low, high); low = -high; }
      get("box-low").textContent = "\u2264 " + signed(low);
      get("box-high").textContent = "\u2265 " + signed(high) + " meV";
      document.querySelector("#liquid .bar").style.background = Zf.gradient(scale);
      viewer.show({
        cell: frame.cell,
        atoms: frame.positions.map((p, k) => ({
          p: p, r: RADII[frame.symbols[k]] || 1.2, rgb: Zf.colourAt(scale, (values[k] - low) / (high - low || 1))
        }))
      });
      say(-1);
    }

    const step = (by) => {
      picker.value = String((Number(picker.value) + by + frames.length) % frames.length);
      show();
    };
    picker.addEventListener("change", show);
    fieldPicker.addEventListener("change", show);
    get("box-previous").addEventListener("click", () => step(-1));
    get("box-next").addEventListener("click", () => step(1));
    show();
    return viewer;
  }

  const hero = document.querySelector(".pair .plot");
  if (hero) { draw(hero); }
  const viewer = setUpBox();
  document.documentElement.dataset.firstFigure = String(Math.round(performance.now()));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (viewer) { viewer.render(); } });
  requestAnimationFrame(() => { drawAll(); document.documentElement.dataset.ready = "true"; });
}());
