// The norms of layers: a pointer on a picture, or the two sliders, choose a layer and a moment.
function norms(box) {
  const { paths, steps, epochs, maps } = JSON.parse(box.querySelector("script").textContent);
  const layer = box.querySelector('[data-of="layer"]');
  const moment = box.querySelector('[data-of="moment"]');
  const named = (i) => (steps[i] === 0 ? "before the first step" : `after step ${steps[i]}`);

  // One curve for each map, on a log scale.
  function curves(figure, title, lines, chosen, ends) {
    figure.querySelector("h3").textContent = title;
    const logs = Object.values(lines).flat().filter((v) => v > 0).map(Math.log10);
    if (!logs.length) return;
    const room = 0.04 * (Math.max(...logs) - Math.min(...logs)) || 0.1;
    const [low, high] = [Math.min(...logs) - room, Math.max(...logs) + room];
    const place = (at, count) => (count > 1 ? (1000 * at) / (count - 1) : 500);
    const drawn = Object.entries(lines).map(([name, values]) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const known = values.map((v, i) => [i, v]).filter(([, v]) => v > 0);
      const points = known.map(([i, v]) => `${place(i, values.length)} ${(1000 * (high - Math.log10(v))) / (high - low)}`);
      path.setAttribute("d", points.length ? `M${points.join("L")}${points.length === 1 ? "h0" : ""}` : "");
      path.setAttribute("class", name === "delta" ? "tone0" : "tone1");
      return path;
    });
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("class", "at");
    line.setAttribute("d", `M${place(chosen, Object.values(lines)[0].length)} 0v1000`);
    figure.querySelector("svg").replaceChildren(line, ...drawn);
    const mark = (text, side, share) => {
      const span = document.createElement("span");
      span.textContent = text;
      span.style[side] = `${100 * share}%`;
      return span;
    };
    const ys = logNumbers(low, high).map((v) => [v, (Math.log10(v) - low) / (high - low)]).filter(([, at]) => at >= 0 && at <= 1);
    figure.querySelector(".y").replaceChildren(...ys.map(([v, at]) => mark(number(v), "bottom", at)));
    figure.querySelector(".x").replaceChildren(...ends.map((text, i) => mark(text, "left", i)));
  }

  function show() {
    const [row, column] = [Number(layer.value), Number(moment.value)];
    box.querySelector(".here > span").textContent = `${paths[row]}, ${named(column)}:`;
    for (const [name, values] of Object.entries(maps)) {
      box.querySelector(`.here [data-of="${name}"] b`).textContent = values[row][column] === null ? "–" : number(values[row][column]);
    }
    layer.setAttribute("aria-valuetext", paths[row]);
    moment.setAttribute("aria-valuetext", named(column));
    for (const spot of box.querySelectorAll(".spot")) {
      spot.hidden = false;
      Object.assign(spot.style, {
        left: `${(100 * column) / steps.length}%`, width: `${100 / steps.length}%`,
        top: `${(100 * row) / paths.length}%`, height: `${100 / paths.length}%`,
      });
    }
    const pick = (choose) => Object.fromEntries(Object.entries(maps).map(([name, values]) => [name, choose(values)]));
    curves(box.querySelector('[data-along="layers"]'), `Along the layers, ${named(column)}`,
      pick((values) => values.map((of) => of[column])), row, ["first", "last"]);
    curves(box.querySelector('[data-along="moments"]'), `At ${paths[row]}, over training`,
      pick((values) => values[row]), column, [steps[0] ? `epoch ${epochs[0]}` : "start", `epoch ${epochs[epochs.length - 1]}`]);
  }

  for (const picture of box.querySelectorAll(".picture")) {
    const choose = (event) => {
      const area = picture.getBoundingClientRect();
      const place = (at, size, count) => Math.max(0, Math.min(count - 1, Math.floor((at / size) * count)));
      moment.value = place(event.clientX - area.left, area.width, steps.length);
      layer.value = place(event.clientY - area.top, area.height, paths.length);
      show();
    };
    picture.addEventListener("pointermove", choose);
    picture.addEventListener("pointerdown", choose);
  }
  layer.addEventListener("input", show);
  moment.addEventListener("input", show);
  show();
}
document.querySelectorAll(".norms").forEach(norms);
