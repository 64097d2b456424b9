(function () {
  const data = JSON.parse(document.getElementById("payload").textContent), get = (id) => document.getElementById(id);
  const make = (parent, tag, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const number = (v) => v === null ? "?" : (v < 0 ? "\u2212" : "") + (v && Math.abs(v) < 1e-3 ? Math.abs(v).toExponential(1) : Math.abs(v).toFixed(Math.abs(v) < 100 ? 4 : 2));
  const picker = get("field");
  data.columns.forEach((column, k) => picker.add(new Option(column.title, String(k))));

  function unpacked(surface, rgb) {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    const offsets = new Int16Array(bytes(surface.vertices)), corners = new Uint16Array(bytes(surface.facets));
    const rows = (flat, n) => Array.from({ length: flat.length / n }, (_, k) => Array.from(flat.subarray(n * k, n * k + n)));
    return {
      rgb: rgb, vertices: rows(offsets, 3).map((v) => v.map((x, k) => surface.origin[k] + x / 100)),
      facets: rows(corners, 4)
    };
  }

  let picked = -1;
  const hasSurfaces = data.surfaces.some(Boolean);
  const name = (k) => `${data.elements[k]} ${k}`;
  function say(k) {
    const column = data.columns[Number(picker.value)];
    get("status").textContent = k < 0 || !column
      ? `Drag to turn, click an atom for its values${hasSurfaces ? " and the surface of its basin, drawn coarsely" : ""}.`
      : `${name(k)}: ${column.title} ${number(column.values[k])}`;
  }
  const viewer = new Zf.Viewer(get("box"), { onHover: say, onPick: pick });

  function show() {
    const column = data.columns[Number(picker.value)], values = column ? column.values : [];
    const known = values.filter((v) => v !== null), scale = column && column.diverging ? "difference" : "energy";
    let low = Math.min(...known), high = Math.max(...known);
    if (scale === "difference") { high = Math.max(Math.abs(low), Math.abs(high)); low = -high; }
    get("low").textContent = known.length ? number(low) : "";
    get("high").textContent = known.length ? number(high) : "";
    document.querySelector("#structure .bar").style.background = Zf.gradient(scale);
    viewer.marked = picked;
    const colour = (k) => !known.length || values[k] === null ? [150, 150, 150] : Zf.colourAt(scale, (values[k] - low) / (high - low || 1));
    const surface = picked >= 0 && data.surfaces[picked], isCrowded = surface && data.elements.length > 20;
    viewer.show({
      cell: data.cell, bonds: isCrowded ? data.bonds.filter((pair) => pair.includes(picked)) : data.bonds,
      surface: surface ? unpacked(surface, colour(picked)) : null,
      atoms: data.positions.map((p, k) => ({ p: p, r: data.radii[k], rgb: colour(k), faint: isCrowded && k !== picked }))
    });
  }

  function pick(k) {
    picked = k === picked ? -1 : k;
    const panel = get("picked");
    panel.hidden = picked < 0;
    Array.from(get("atoms").tBodies[0].rows).forEach((row, n) => row.setAttribute("aria-selected", String(n === picked)));
    if (picked >= 0) {
      panel.querySelector("h2").textContent = name(picked);
      const list = panel.querySelector("dl");
      list.replaceChildren();
      data.columns.forEach((column) => {
        make(list, "dt", { textContent: column.title });
        make(list, "dd", { textContent: number(column.values[picked]) });
      });
    }
    show();
    say(picked);
  }

  const table = get("atoms"), head = make(table.tHead, "tr", {});
  ["atom", "element"].concat(data.columns.map((c) => c.title)).forEach((text, k) =>
    make(head, "th", { textContent: text, scope: "col", className: k === 1 ? "" : "number" }));
  data.elements.forEach((symbol, k) => {
    const row = make(table.tBodies[0], "tr", { tabIndex: 0 });
    make(row, "td", { textContent: k, className: "number" });
    make(row, "td", { textContent: symbol });
    data.columns.forEach((column) => make(row, "td", { textContent: number(column.values[k]), className: "number" }));
    row.addEventListener("click", () => pick(k));
    row.addEventListener("keydown", (e) => { if (e.key === "Enter") { pick(k); } });
  });
  get("csv").addEventListener("click", () => Zf.save(
    [["atom", "element", "x", "y", "z"].concat(data.columns.map((c) => c.key))].concat(
      data.elements.map((symbol, k) => [k, symbol].concat(data.positions[k], data.columns.map((c) => c.values[k] === null ? "" : c.values[k]))))
      .map((row) => row.join(",")).join("\n") + "\n", "basins.csv", "text/csv"));
  picker.addEventListener("change", () => { show(); say(-1); });
  show();
  say(-1);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => viewer.render());
  document.documentElement.dataset.ready = "true";
}());
