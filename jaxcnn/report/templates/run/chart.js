// The charts of a page: one looks along all of them at once, and zooms into all of them at once.
// x is in epochs everywhere; `view` is what of it is seen.

function number(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e7 || size < 1e-3) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

// At most so many multiples of 1, 2 or 5 times a power of ten.
function roundNumbers(low, high, most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10, 20].map((f) => f * power).find((s) => (high - low) / s < most);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function logNumbers(low, high) { // of the exponents
  const wide = Math.ceil((high - low) / 6);
  const found = [];
  for (let p = Math.floor(low); p <= Math.ceil(high); p++) {
    for (const factor of high - low < 2 ? [1, 2, 5] : [1]) if (p % wide === 0) found.push(Number((factor * 10 ** p).toPrecision(6)));
  }
  return found.some((v) => Math.log10(v) >= low && Math.log10(v) <= high) ? found : roundNumbers(10 ** low, 10 ** high, 5);
}

function nearest(values, x) { // of ascending numbers, the place
  let low = 0;
  let high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle;
    else high = middle;
  }
  return Math.abs(values[low] - x) <= Math.abs(values[high] - x) ? low : high;
}

class Chart {
  constructor(figure, page) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    Object.assign(this, { figure, page, data, scale: data.scale, whole: data.x });
    this.plot = figure.querySelector(".plot");
    this.svg = this.plot.querySelector("svg");
    this.cursor = this.plot.querySelector(".cursor");
    this.picked = this.plot.querySelector(".picked");
    this.legend = [...figure.querySelectorAll(".legend li")];
    this.rest = this.legend.map((item) => item.querySelector("b").textContent);
    this.places = [...new Set(data.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    this.log = figure.querySelector(".log");
    if (this.log) this.log.addEventListener("click", () => this.rescale(this.scale === "log" ? "linear" : "log"));
    this.listen();
  }

  text(value) {
    return this.data.kind === "percent" ? `${(100 * value).toFixed(2)} %` : number(value);
  }

  tick(value) {
    return this.data.kind === "percent" ? `${Number((100 * value).toPrecision(4))} %` : number(value);
  }

  shown() {
    return this.data.lines.filter((_, i) => !this.legend[i].classList.contains("off"));
  }

  rescale(scale) {
    this.scale = scale;
    this.log.setAttribute("aria-pressed", scale === "log");
    for (const group of this.svg.querySelectorAll("[data-scale]")) group.setAttribute("display", group.dataset.scale === scale ? "inline" : "none");
    this.draw();
  }

  // What of y is seen: the values of the lines within the view, and a little room.
  range() {
    const [low, high] = this.data.y[this.scale];
    const whole = this.page.view[0] <= this.whole[0] && this.page.view[1] >= this.whole[1];
    if (whole && this.shown().length === this.data.lines.length) return [low, high];
    const within = [];
    for (const line of this.shown()) {
      line.y.forEach((y, i) => {
        if (y === null || line.x[i] < this.page.view[0] || line.x[i] > this.page.view[1]) return;
        const d = (line.deviation && line.deviation[i]) || 0;
        within.push(y - d, y + d);
      });
    }
    const seen = this.scale === "log" ? within.filter((y) => y > 0).map(Math.log10) : within;
    if (!seen.length) return [low, high];
    const [least, most] = [seen.reduce((a, b) => Math.min(a, b)), seen.reduce((a, b) => Math.max(a, b))];
    const room = 0.04 * (most - least) || 0.02 * (high - low);
    return [least - room, most + room];
  }

  draw() {
    const [from, to] = this.page.view;
    const [low, high] = this.range();
    const [first, last] = this.whole;
    const [bottom, top] = this.data.y[this.scale];
    const across = 1000 / (last - first);
    const up = 1000 / (top - bottom);
    this.svg.setAttribute("viewBox", `${(from - first) * across} ${(top - high) * up} ${(to - from) * across} ${(high - low) * up}`);
    this.y = (value) => ((this.scale === "log" ? Math.log10(value) : value) - low) / (high - low);
    const ys = this.scale === "log" ? logNumbers(low, high) : roundNumbers(low, high, 5);
    this.put(".y", "bottom", ys, this.y, (value) => this.tick(value));
    this.put(".x", "left", roundNumbers(from, to, 7), (x) => this.page.share(x), (x) => String(x));
  }

  put(where, side, values, place, text) {
    const marks = [];
    for (const value of values) {
      const at = place(value);
      if (at < -1e-6 || at > 1 + 1e-6) continue;
      const mark = document.createElement("span");
      mark.style[side] = `${100 * at}%`;
      mark.textContent = text(value);
      marks.push(mark);
    }
    this.plot.querySelector(where).replaceChildren(...marks);
  }

  // Show what the lines are at x; null: at their ends.
  look(x) {
    const where = this.figure.querySelector(".where");
    const at = x === null ? null : this.places[nearest(this.places, x)];
    const gone = at === null || at < this.page.view[0] || at > this.page.view[1];
    this.cursor.hidden = gone;
    const said = [];
    this.data.lines.forEach((line, i) => {
      const value = this.legend[i].querySelector("b");
      if (at === null) {
        value.textContent = this.rest[i];
        return;
      }
      const k = nearest(line.x, at);
      const deviation = line.deviation && line.deviation[k] !== null ? ` ± ${this.text(line.deviation[k])}` : "";
      value.textContent = line.y[k] === null ? "–" : this.text(line.y[k]) + deviation;
      if (!this.legend[i].classList.contains("off")) said.push(`${line.name} ${value.textContent}`);
    });
    where.textContent = at === null ? "" : this.page.named(at, this.data.perEpoch);
    if (at === null) return;
    this.cursor.style.left = `${100 * this.page.share(at)}%`;
    this.plot.setAttribute("aria-valuenow", at);
    this.plot.setAttribute("aria-valuetext", `${where.textContent}: ${said.join(", ")}`);
  }

  // The neighbour of the place that is looked at.
  next(by) {
    const at = this.page.at === null ? this.places.length - 1 : nearest(this.places, this.page.at) + by;
    return this.places[Math.max(0, Math.min(this.places.length - 1, at))];
  }

  listen() {
    const { page, plot } = this;
    const along = (event) => {
      const box = this.svg.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      return page.view[0] + share * (page.view[1] - page.view[0]);
    };
    let from = null;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = along(event);
      page.look(from);
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      const x = along(event);
      page.look(x);
      if (from === null) return;
      const [left, right] = [from, x].sort((a, b) => a - b).map((v) => 100 * page.share(v));
      this.picked.hidden = right - left < 1;
      this.picked.style.left = `${left}%`;
      this.picked.style.width = `${right - left}%`;
    });
    plot.addEventListener("pointerup", (event) => {
      if (from !== null && !this.picked.hidden) page.zoom(...[from, along(event)].sort((a, b) => a - b));
      from = null;
      this.picked.hidden = true;
    });
    plot.addEventListener("pointercancel", () => { from = null; this.picked.hidden = true; });
    plot.addEventListener("pointerleave", (event) => { // a finger always leaves
      if (document.activeElement !== plot && event.pointerType !== "touch") page.look(null);
    });
    plot.addEventListener("dblclick", () => page.zoom(...page.whole));
    plot.addEventListener("focus", () => { if (page.at === null && plot.matches(":focus-visible")) page.look(this.next(0)); });
    plot.addEventListener("blur", () => page.look(null));
    plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = {
        ArrowRight: () => page.visit(this.next(1)),
        ArrowLeft: () => page.visit(this.next(-1)),
        ArrowUp: () => page.visit(this.next(1)),
        ArrowDown: () => page.visit(this.next(-1)),
        PageUp: () => page.visit(this.next(10)),
        PageDown: () => page.visit(this.next(-10)),
        Home: () => page.visit(this.places[0]),
        End: () => page.visit(this.places[this.places.length - 1]),
        "+": () => page.magnify(2),
        "=": () => page.magnify(2),
        "-": () => page.magnify(0.5),
        0: () => page.zoom(...page.whole),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }
}

// All charts, which share what of training is seen and the place that is looked at.
class Charts {
  constructor(figures) {
    this.at = null;
    this.charts = [...figures].map((figure) => new Chart(figure, this));
    this.whole = [Math.min(...this.charts.map((c) => c.whole[0])), Math.max(...this.charts.map((c) => c.whole[1]))];
    this.view = this.whole;
    document.querySelectorAll("[data-zoom]").forEach((button) =>
      button.addEventListener("click", () => (button.dataset.zoom === "0" ? this.zoom(...this.whole) : this.magnify(Number(button.dataset.zoom)))));
    this.draw();
  }

  share(x) {
    return (x - this.view[0]) / (this.view[1] - this.view[0]);
  }

  named(x, perEpoch) {
    const epoch = `epoch ${Number(x.toFixed(2))}`;
    return perEpoch ? `${epoch}, step ${Math.round(x * perEpoch)}` : epoch;
  }

  draw() {
    for (const chart of this.charts) chart.draw();
    const whole = this.view[0] === this.whole[0] && this.view[1] === this.whole[1];
    document.querySelectorAll('[data-zoom="0"]').forEach((button) => { button.disabled = whole; });
    this.look(this.at);
  }

  look(x) {
    this.at = x;
    for (const chart of this.charts) chart.look(x);
  }

  // Look at a place by key: the view follows.
  visit(x) {
    const width = this.view[1] - this.view[0];
    this.at = x;
    if (x < this.view[0]) this.zoom(x, x + width);
    else if (x > this.view[1]) this.zoom(x - width, x);
    else this.look(x);
  }

  magnify(factor) {
    const width = (this.view[1] - this.view[0]) / factor;
    const middle = this.at === null ? (this.view[0] + this.view[1]) / 2 : this.at;
    this.zoom(middle - width / 2, middle + width / 2);
  }

  zoom(from, to) {
    const [first, last] = this.whole;
    const width = Math.min(Math.max(to - from, (last - first) / 1000), last - first);
    const start = Math.min(Math.max(from, first), last - width);
    this.view = [start, start + width];
    this.draw();
  }
}

const charts = document.querySelector(".chart") ? new Charts(document.querySelectorAll(".chart")) : null;
