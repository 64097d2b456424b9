// Atoms, cell, bonds and a surface on a canvas, painted from back to front. No WebGL: it draws
// in every browser, on paper and in a screenshot.
(function () {
  const SCALES = {
    energy: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    difference: [[0, 90, 160], [110, 170, 215], [215, 215, 215], [240, 165, 80], [190, 80, 0]]
  };
  // Viridis keeps its order in greyscale, the other its middle; both under colour blindness.
  Zf.colourAt = function (scale, share) {
    const stops = SCALES[scale], position = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const k = Math.min(Math.floor(position), stops.length - 2), f = position - k;
    return stops[k].map((c, i) => Math.round(c + f * (stops[k + 1][i] - c)));
  };
  Zf.gradient = (scale) => "linear-gradient(90deg," + SCALES[scale].map((c) => `rgb(${c})`).join(",") + ")";

  const times = (a, b) => a.map((row) => [0, 1, 2].map((j) => row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]));
  const apply = (m, p) => m.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]);
  const turnX = (a) => [[1, 0, 0], [0, Math.cos(a), -Math.sin(a)], [0, Math.sin(a), Math.cos(a)]];
  const turnY = (a) => [[Math.cos(a), 0, Math.sin(a)], [0, 1, 0], [-Math.sin(a), 0, Math.cos(a)]];
  const EDGES = [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 3], [2, 6], [3, 7], [4, 5], [4, 6], [5, 7], [6, 7]];

  // scene: atoms [{p, r, rgb, faint}], bonds [[i, j]], cell, surface {vertices, facets, rgb}
  Zf.Viewer = class {
    constructor(canvas, { onHover = () => {}, onPick = () => {} } = {}) {
      this.canvas = canvas;
      this.turn = times(turnX(0.35), turnY(-0.5));
      this.size = 1;
      this.scene = { atoms: [] };
      this.places = [];
      this.marked = -1;
      let last = null, moved = 0;
      canvas.addEventListener("pointerdown", (e) => { last = e; moved = 0; canvas.setPointerCapture(e.pointerId); });
      canvas.addEventListener("pointermove", (e) => {
        if (!last) { onHover(this.at(e)); return; }
        moved += Math.abs(e.clientX - last.clientX) + Math.abs(e.clientY - last.clientY);
        this.rotate("y", (e.clientX - last.clientX) * 0.01);
        this.rotate("x", (e.clientY - last.clientY) * 0.01);
        last = e;
      });
      canvas.addEventListener("pointerup", (e) => { if (last && moved < 5) { onPick(this.at(e)); } last = null; });
      canvas.addEventListener("pointercancel", () => { last = null; });
      canvas.addEventListener("wheel", (e) => {
        if (!e.ctrlKey && document.activeElement !== canvas) { return; }
        e.preventDefault();
        this.zoom(Math.exp(-0.0015 * e.deltaY));
      }, { passive: false });
      canvas.addEventListener("keydown", (e) => {
        const step = { ArrowLeft: ["y", -0.15], ArrowRight: ["y", 0.15], ArrowUp: ["x", -0.15], ArrowDown: ["x", 0.15] }[e.key];
        if (step) { this.rotate(...step); } else if (e.key === "+") { this.zoom(1.15); } else if (e.key === "-") { this.zoom(0.87); } else { return; }
        e.preventDefault();
      });
      new ResizeObserver(() => this.render()).observe(canvas);
    }

    show(scene) {
      this.scene = scene;
      const all = scene.atoms.map((a) => a.p), corners = scene.cell ? Zf.corners(scene.cell) : all;
      const middle = (points) => [0, 1, 2].map((k) => (Math.min(...points.map((p) => p[k])) + Math.max(...points.map((p) => p[k]))) / 2);
      const extent = (points, c) => Math.max(1, ...points.map((p) => Math.hypot(...p.map((v, k) => v - c[k])))) + 0.6;
      this.centre = middle(corners);
      this.reach = extent(corners.concat(all), this.centre);
      // a molecule that is small in its box fills the view, with room for a surface
      const own = middle(all), near = extent(all, own) + 1.6;
      if (near < 0.55 * this.reach) { this.centre = own; this.reach = near; }
      this.render();
    }

    rotate(axis, angle) {
      this.turn = times(axis === "x" ? turnX(angle) : turnY(angle), this.turn);
      this.later();
    }

    zoom(factor) { this.size = Math.min(Math.max(this.size * factor, 0.4), 6); this.later(); }

    later() {
      if (this.pending) { return; }
      this.pending = requestAnimationFrame(() => { this.pending = null; this.render(); });
    }

    // Index of the foremost atom under a pointer; -1 if none.
    at(event) {
      const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.x, y = event.clientY - box.y;
      let best = -1;
      this.places.forEach((p, k) => {
        if (Math.hypot(p[0] - x, p[1] - y) < Math.max(p[3], 8) && (best < 0 || p[2] > this.places[best][2])) { best = k; }
      });
      return best;
    }

    render() {
      const { canvas, scene } = this, w = canvas.clientWidth, h = canvas.clientHeight, dpr = window.devicePixelRatio || 1;
      if (!w || !h || !this.centre) { return; }
      canvas.width = Math.round(w * dpr);
      canvas.height = Math.round(h * dpr);
      const c = canvas.getContext("2d"), css = getComputedStyle(document.documentElement);
      c.setTransform(dpr, 0, 0, dpr, 0, 0);
      const ground = css.getPropertyValue("--panel").trim(), soft = css.getPropertyValue("--soft").trim(), ink = css.getPropertyValue("--ink").trim();
      const unit = 0.56 * Math.min(w * 1.1, h) / this.reach * this.size, far = 4.5 * this.reach;
      const project = (p) => {
        const q = apply(this.turn, p.map((v, k) => v - this.centre[k])), f = unit * far / (far - q[2]);
        return [w / 2 + f * q[0], h / 2 - f * q[1], q[2], f];
      };
      const jobs = [];
      if (scene.cell) {
        const corners = Zf.corners(scene.cell), parts = 10;
        EDGES.forEach(([a, b]) => {
          for (let n = 0; n < parts; n++) {
            const at = (f) => project(corners[a].map((v, k) => v + f * (corners[b][k] - v)));
            const p = at(n / parts), q = at((n + 1) / parts);
            jobs.push([(p[2] + q[2]) / 2, () => stroke(c, p, q, 1.1, soft)]);
          }
        });
      }
      this.places = scene.atoms.map((a) => { const p = project(a.p); return [p[0], p[1], p[2], p[3] * a.r]; });
      (scene.bonds || []).forEach(([i, j]) => {
        const a = scene.atoms[i], b = scene.atoms[j], mid = a.p.map((v, k) => (v + b.p[k]) / 2);
        [[a, this.places[i]], [b, this.places[j]]].forEach(([atom, p]) => {
          const m = project(mid);
          jobs.push([(p[2] + m[2]) / 2, () => stroke(c, p, m, 0.16 * m[3], `rgb(${atom.rgb.map((v) => Math.round(0.8 * v))})`)]);
        });
      });
      scene.atoms.forEach((a, k) => jobs.push([this.places[k][2], () => ball(c, this.places[k], a.rgb, ground, this.reach, k === this.marked ? ink : null, a.faint)]));
      if (scene.surface) { facets(c, scene.surface, project, jobs); }
      jobs.sort((a, b) => a[0] - b[0]);
      c.clearRect(0, 0, w, h);
      jobs.forEach((job) => job[1]());
      canvas.dataset.drawn = String(jobs.length);
    }
  };

  Zf.corners = (cell) => [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [0, 1, 2].map((k) =>
    (n & 1) * cell[0][k] + ((n >> 1) & 1) * cell[1][k] + (n >> 2) * cell[2][k]));

  function stroke(c, p, q, thick, colour) {
    c.strokeStyle = colour;
    c.lineWidth = thick;
    c.lineCap = "round";
    c.beginPath();
    c.moveTo(p[0], p[1]);
    c.lineTo(q[0], q[1]);
    c.stroke();
  }

  // A lit ball; those at the back fade a little into the ground.
  function ball(c, [x, y, z, r], rgb, ground, reach, ring, isFaint) {
    const light = c.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
    const shade = (f) => `rgb(${rgb.map((v) => Math.round(f > 1 ? v + (255 - v) * (f - 1) : v * f))})`;
    light.addColorStop(0, shade(1.55));
    light.addColorStop(0.45, shade(1));
    light.addColorStop(1, shade(0.55));
    c.beginPath();
    c.arc(x, y, r, 0, 2 * Math.PI);
    c.fillStyle = light;
    c.globalAlpha = isFaint ? 0.3 : 1;
    c.fill();
    const depth = 0.32 * Math.min(Math.max(0.5 - 0.5 * z / reach, 0), 1);
    c.globalAlpha = isFaint ? 0 : depth;
    c.fillStyle = ground;
    c.fill();
    c.globalAlpha = 1;
    if (ring) { c.lineWidth = 2.5; c.strokeStyle = ring; c.stroke(); }
  }

  function facets(c, surface, project, jobs) {
    const at = surface.vertices.map(project);
    surface.facets.forEach(([i, j, k, l]) => {
      const a = at[i], b = at[j], d = at[k], e = at[l];
      const ux = b[0] - a[0], uy = b[1] - a[1], uz = (b[2] - a[2]) * a[3], vx = d[0] - a[0], vy = d[1] - a[1], vz = (d[2] - a[2]) * a[3];
      const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], size = Math.hypot(...n) || 1;
      // the screen's y runs down: a facet that faces the eye turns the other way round
      const isFront = n[2] < 0, lit = 0.3 + 0.7 * Math.max(0, (0.35 * n[0] + 0.4 * n[1] - 0.85 * n[2]) / size);
      const colour = surface.rgb.map((v) => Math.round(v * lit + 20 * (1 - lit)));
      jobs.push([(a[2] + b[2] + d[2]) / 3, () => {
        c.beginPath();
        c.moveTo(a[0], a[1]);
        c.lineTo(b[0], b[1]);
        c.lineTo(d[0], d[1]);
        c.lineTo(e[0], e[1]);
        c.closePath();
        c.fillStyle = `rgba(${colour},${isFront ? 0.5 : 0.25})`;
        c.fill();
      }]);
    });
  }
}());
