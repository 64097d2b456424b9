"use strict";
(function () {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // ---- charts -------------------------------------------------------------------------------
  const PANEL = 300, GAP_X = 86, GAP_Y = 92;

  function columnsFor(width, wanted) {
    return width < 620 ? 1 : width < 900 ? Math.min(2, wanted) : wanted;
  }

  // Panels keep a readable size: fewer columns and a taller figure on a narrow screen.
  function arranged(figure, width) {
    const layout = JSON.parse(JSON.stringify(figure.layout));
    const meta = layout.meta, columns = columnsFor(width, meta.n_columns);
    const rows = Math.ceil(meta.n_panels / columns);
    const plotWidth = Math.max(width - layout.margin.l - layout.margin.r, 100);
    const plotHeight = rows * PANEL + (rows - 1) * GAP_Y;
    const gapX = GAP_X / plotWidth, gapY = GAP_Y / plotHeight;
    for (let k = 0; k < meta.n_panels; k++) {
      const suffix = k === 0 ? "" : String(k + 1), row = Math.floor(k / columns), column = k % columns;
      const w = (1 - gapX * (columns - 1)) / columns, h = (1 - gapY * (rows - 1)) / rows;
      const x0 = column * (w + gapX), y0 = (rows - 1 - row) * (h + gapY);
      layout["xaxis" + suffix].domain = [x0, Math.min(1, x0 + w)];
      layout["yaxis" + suffix].domain = [y0, Math.min(1, y0 + h)];
    }
    const ink = css("--ink"), line = css("--line");
    Object.keys(layout).filter((key) => /^[xy]axis/.test(key)).forEach((key) => {
      Object.assign(layout[key], {
        gridcolor: line, linecolor: css("--soft"), zerolinecolor: line, showline: true, ticks: "outside",
        tickcolor: css("--soft"), tickfont: { size: 12 }
      });
      layout[key].title.font = { size: 13 };
    });
    const names = new Set(figure.data.filter((t) => t.showlegend !== false).map((t) => t.name));
    const legendRows = Math.ceil(names.size / Math.max(1, Math.floor(width / 260)));
    const bottom = 64 + (layout.showlegend ? 14 + 22 * legendRows : 0);
    return Object.assign(layout, {
      width: width, height: plotHeight + layout.margin.t + bottom,
      margin: Object.assign({}, layout.margin, { b: bottom }),
      legend: Object.assign({}, layout.legend, { y: -58 / plotHeight, yanchor: "top", itemsizing: "constant" }),
      paper_bgcolor: css("--panel"), plot_bgcolor: css("--panel"),
      font: { color: ink, family: "system-ui, sans-serif", size: 13 },
      hoverlabel: { bgcolor: css("--ground"), font: { color: ink } }
    });
  }

  // The palette is chosen for a light ground; its darker colours get a lighter sister on a dark one.
  const SISTERS = {
    "#0072B2": "#56B4E9", "#009E73": "#35C9A0", "#D55E00": "#FF8A3D", "#CC79A7": "#E6A3C8",
    "#56B4E9": "#B3DFFA"
  };
  const themed = (data) => JSON.parse(JSON.stringify(data), (key, value) =>
    key === "color" && dark.matches && SISTERS[value] ? SISTERS[value] : value);

  const plots = Array.from(document.querySelectorAll(".plot"));
  const config = (name) => ({
    displaylogo: false, responsive: false, displayModeBar: "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg", filename: name }
  });

  function draw(element) {
    const figure = payload.figures[element.id];
    return Plotly.react(element, themed(figure.data), arranged(figure, element.clientWidth), config(element.id));
  }

  function drawAll() { return Promise.all(plots.map(draw)); }

  let pending = null, lastWidth = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === lastWidth) { return; }
    lastWidth = window.innerWidth;
    clearTimeout(pending);
    pending = setTimeout(drawAll, 150);
  });

  // ---- downloads ----------------------------------------------------------------------------
  function save(text, name, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  document.querySelectorAll("[data-csv]").forEach((button) => button.addEventListener("click", () =>
    save(payload.csv[button.dataset.csv], button.dataset.csv + ".csv", "text/csv")));
  document.querySelectorAll("[data-svg]").forEach((button) => button.addEventListener("click", () => {
    const element = document.getElementById(button.dataset.svg);
    Plotly.downloadImage(element, {
      format: "svg", filename: element.id, width: element.clientWidth, height: element.clientHeight
    });
  }));

  // ---- tables -------------------------------------------------------------------------------
  document.querySelectorAll("table.sortable").forEach((table) => {
    const headings = Array.from(table.tHead.rows[0].cells);
    headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
      };
      Array.from(body.rows).sort((a, b) => {
        const x = key(a), y = key(b);
        if (typeof x === "number" && typeof y === "number") {
          if (Number.isNaN(x) || Number.isNaN(y)) { return Number.isNaN(x) - Number.isNaN(y); }
          return direction * (x - y);
        }
        return direction * String(x).localeCompare(String(y), undefined, { numeric: true });
      }).forEach((row) => body.appendChild(row));
    }));
  });

  // ---- the box ------------------------------------------------------------------------------
  // Viridis for energies, a blue-to-orange scale through a neutral grey for differences: both keep
  // their order in greyscale or under colour blindness.
  const SCALES = {
    energy: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    difference: [[0, 90, 160], [110, 170, 215], [215, 215, 215], [240, 165, 80], [190, 80, 0]]
  };
  function colourAt(scale, share) {
    const position = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
    const k = Math.min(Math.floor(position), scale.length - 2), f = position - k;
    const mixed = scale[k].map((c, i) => Math.round(c + f * (scale[k + 1][i] - c)));
    return "rgb(" + mixed.join(",") + ")";
  }
  const RADII = { He: 0.85, Ne: 0.95, Ar: 1.15, Kr: 1.4, Xe: 1.55 };
  const format = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);

  function setUpBox() {
    const element = document.getElementById("box");
    if (!element || !payload.boxes.length) { return null; }
    const frames = payload.boxes, picker = document.getElementById("box-frame");
    const fieldPicker = document.getElementById("box-field"), status = document.getElementById("box-status");
    frames.forEach((frame, k) => picker.add(new Option(frame.name, String(k))));
    Object.keys(frames[0].fields).forEach((name) => fieldPicker.add(new Option(name, name)));
    let viewer = null;
    try {
      viewer = $3Dmol.createViewer(element, { backgroundColor: css("--panel"), antialias: true });
    } catch (error) { viewer = null; }
    if (!viewer) {
      status.textContent = "This browser offers no WebGL; the atoms are in the table below.";
    }
    let isFirst = true, drawnCell = "";

    function show() {
      const frame = frames[Number(picker.value)], name = fieldPicker.value;
      const values = frame.fields[name];
      const scale = name.startsWith("local \u2212") ? SCALES.difference : SCALES.energy;
      // A single extreme atom would push all others into one colour: 2 % at either end share it.
      const all = frames.flatMap((f) => f.fields[name]).sort((a, b) => a - b);
      const at = (share) => all[Math.round(share * (all.length - 1))];
      let low = at(0.02), high = at(0.98);
      if (scale === SCALES.difference) { high = Math.max(-low, high); low = -high; }
      const span = high - low || 1;
      document.getElementById("box-low").textContent = "\u2264 " + format(low) + " meV";
      document.getElementById("box-high").textContent = "\u2265 " + format(high) + " meV";
      document.querySelector(".scale .bar").style.background =
        "linear-gradient(90deg," + scale.map((c) => "rgb(" + c.join(",") + ")").join(",") + ")";
      const describe = (k) => frame.symbols[k] + " " + (k + 1) + ": " + format(values[k]) + " meV";
      const spread = Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
      status.textContent = frame.name + "; " + name + ", root mean square " + spread.toFixed(2) + " meV.";
      fillTable(frame);
      if (!viewer) { return; }
      viewer.removeAllShapes();
      const cell = frame.cell, corner = (i, j, k) => ({
        x: i * cell[0][0] + j * cell[1][0] + k * cell[2][0],
        y: i * cell[0][1] + j * cell[1][1] + k * cell[2][1],
        z: i * cell[0][2] + j * cell[1][2] + k * cell[2][2]
      });
      for (const [a, b] of [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 3], [2, 6], [3, 7], [4, 5], [4, 6], [5, 7], [6, 7]]) {
        const vertex = (n) => corner(n & 1, (n >> 1) & 1, (n >> 2) & 1);
        viewer.addCylinder({ start: vertex(a), end: vertex(b), radius: 0.04, color: css("--soft"), fromCap: 1, toCap: 1 });
      }
      frame.positions.forEach((p, k) => viewer.addSphere({
        center: { x: p[0], y: p[1], z: p[2] }, radius: RADII[frame.symbols[k]] || 1.2,
        color: colourAt(scale, (values[k] - low) / span), hoverable: true,
        hover_callback: () => { status.textContent = describe(k); },
        unhover_callback: () => {}
      }));
      const cellName = JSON.stringify(frame.cell);
      if (isFirst || cellName !== drawnCell) {
        const view = isFirst ? null : viewer.getView();
        viewer.zoomTo();
        if (isFirst) {
          viewer.rotate(25, "y");
          viewer.rotate(15, "x");
          const aspect = element.clientWidth / element.clientHeight;
          viewer.zoom(aspect < 1.2 ? 0.95 * aspect + 0.1 : 1.1);
        } else { viewer.setView(view.slice(0, 3).concat(viewer.getView()[3], view.slice(4))); }
      }
      isFirst = false;
      drawnCell = cellName;
      viewer.render();
    }

    function fillTable(frame) {
      const table = document.getElementById("box-table"), names = Object.keys(frame.fields);
      const row = (cells, tag) => {
        const tr = document.createElement("tr");
        cells.forEach((text) => { const td = document.createElement(tag); td.textContent = text; tr.appendChild(td); });
        return tr;
      };
      table.tHead.replaceChildren(row(["atom", "element"].concat(names.map((n) => n + " (meV)")), "th"));
      table.tBodies[0].replaceChildren(...frame.symbols.map((symbol, k) =>
        row([k + 1, symbol].concat(names.map((n) => format(frame.fields[n][k]))), "td")));
    }

    const step = (by) => {
      picker.value = String((Number(picker.value) + by + frames.length) % frames.length);
      show();
    };
    picker.addEventListener("change", show);
    fieldPicker.addEventListener("change", show);
    document.getElementById("box-previous").addEventListener("click", () => step(-1));
    document.getElementById("box-next").addEventListener("click", () => step(1));
    document.querySelectorAll("[data-turn]").forEach((button) => button.addEventListener("click", () => {
      const [axis, angle] = button.dataset.turn.split(",");
      if (viewer) { viewer.rotate(Number(angle), axis); viewer.render(); }
    }));
    document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
      if (viewer) { viewer.zoom(Number(button.dataset.zoom)); viewer.render(); }
    }));
    show();
    return { recolour: () => { if (viewer) { viewer.setBackgroundColor(css("--panel")); } show(); } };
  }

  const box = setUpBox();
  dark.addEventListener("change", () => { drawAll(); if (box) { box.recolour(); } });
  drawAll().then(() => { document.documentElement.dataset.ready = "true"; });
}());
