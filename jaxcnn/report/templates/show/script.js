"use strict";
// Nothing is computed here: every number comes from the page, where the rule itself has put it.

function listed(words) {
  return words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
}

function factor(text) {
  return text.startsWith("−") ? `(${text})` : text;
}

function steps(figure) {
  const slopes = JSON.parse(figure.querySelector("script").textContent);
  const said = figure.querySelector(".said");
  const count = figure.querySelector(".count");
  const grids = { in: { value: [], cotangent: [] }, out: { value: [], cotangent: [] } };
  for (const grid of figure.querySelectorAll(".grid")) {
    const cells = [];
    for (const cell of grid.querySelectorAll("[data-entry]")) {
      const number = cell.querySelector(".number");
      const slope = number.cloneNode();
      slope.setAttribute("class", "slope");
      slope.setAttribute("y", 28);
      cell.append(slope);
      cells[cell.dataset.entry] = { cell, grid, number, slope };
    }
    for (const one of cells) one.whole = one.number.textContent;
    cells[0].cell.tabIndex = 0;
    grids[grid.dataset.side][grid.dataset.kind][grid.dataset.place] = cells;
  }
  // What each entry of an input reaches: [output, entry, derivative, how large].
  const reached = grids.in.value.map((cells) => cells.map(() => []));
  slopes.forEach((entries, output) =>
    entries.forEach((made, entry) =>
      made.forEach(([input, place, slope, , size]) => reached[input][place].push([output, entry, slope, size]))));
  const order = slopes.flatMap((entries, output) => entries.map((_, entry) => [output, entry]));
  let at = -1;
  let playing = 0;

  const name = (one) => one.grid.dataset.name + one.cell.dataset.index.replaceAll(" ", "\u00a0"); // on one line
  const is = (one) => `${name(one)} = ${one.whole}`;

  const tally = (parts, one) => parts.set(one.grid.dataset.name, (parts.get(one.grid.dataset.name) || 0) + 1);
  const counted = (parts) =>
    listed([...parts].map(([array, n]) => `${n} ${n === 1 ? "entry" : "entries"} of ${array}`));

  function clear() {
    for (const side of Object.values(grids)) {
      for (const kind of Object.values(side)) {
        for (const one of kind.flat()) {
          one.cell.removeAttribute("class");
          one.cell.style.removeProperty("--t");
          one.slope.textContent = "";
          one.number.textContent = one.whole;
          one.number.setAttribute("y", 18);
          one.cell.setAttribute("aria-label", `${name(one)} is ${one.whole}`);
        }
      }
    }
  }

  function light(one, size, slope) {
    one.cell.setAttribute("class", size < 0 ? "lit minus" : "lit plus");
    one.cell.style.setProperty("--t", Math.abs(size));
    if (slope) {
      one.slope.textContent = "×" + slope;
      one.number.setAttribute("y", 13);
      one.cell.setAttribute("aria-label", `${name(one)} is ${one.whole} ×${slope}`);
    }
  }

  function chooseOutput(output, entry) {
    clear();
    const y = grids.out.value[output][entry];
    const dy = grids.out.cotangent[output][entry];
    y.cell.setAttribute("class", "chosen");
    dy.cell.setAttribute("class", "chosen");
    for (const cells of grids.in.cotangent) {
      for (const one of cells || []) {
        one.cell.setAttribute("class", "faint");
        one.number.textContent = "0";
        one.cell.setAttribute("aria-label", `${name(one)} gets 0`);
      }
    }
    const parts = new Map();
    for (const [input, place, slope, share, size] of slopes[output][entry]) {
      light(grids.in.value[input][place], size, slope);
      const back = grids.in.cotangent[input][place];
      light(back, size);
      back.number.textContent = share;
      back.cell.setAttribute("aria-label", `${name(back)} gets ${share}`);
      tally(parts, grids.in.value[input][place]);
    }
    at = order.findIndex(([k, p]) => k === output && p === entry);
    count.textContent = `${at + 1} of ${order.length}`;
    said.textContent = parts.size
      ? `${is(y)} depends on ${counted(parts)}. Back goes ${is(dy)}, times each derivative (×): the numbers in ${listed([...parts.keys()].map((of) => "d" + of))}.`
      : `${is(y)} depends on no entry here: nothing of ${is(dy)} goes back.`;
  }

  function chooseInput(input, place) {
    clear();
    at = -1;
    count.textContent = "";
    const x = grids.in.value[input][place];
    x.cell.setAttribute("class", "chosen");
    if (!grids.in.cotangent[input]) {
      said.textContent = `${is(x)} is a whole number, and has no cotangent.`;
      return;
    }
    const dx = grids.in.cotangent[input][place];
    dx.cell.setAttribute("class", "chosen");
    const terms = [];
    const parts = new Map();
    for (const [output, entry, slope, size] of reached[input][place]) {
      const dy = grids.out.cotangent[output][entry];
      light(grids.out.value[output][entry], size, slope);
      light(dy, size);
      terms.push(`${factor(slope)} × ${factor(dy.whole)}`);
      tally(parts, grids.out.value[output][entry]);
    }
    const equals = terms.some((term) => term.includes(".")) ? "≈" : "=";
    said.textContent = terms.length
      ? `${is(x)} reaches ${counted(parts)}, and gets derivative × cotangent back: ${name(dx)} = ${terms.join(" + ")} ${equals} ${dx.whole}.`
      : `${is(x)} reaches nothing here: ${is(dx)}.`;
  }

  function whole() {
    clear();
    at = -1;
    count.textContent = `${order.length} steps`;
    said.textContent = "The whole call: values above, below them the cotangents that the backward returns for this "
      + `${listed(grids.out.cotangent.map((cells) => cells[0].grid.dataset.name))}. Choose an entry, or step through.`;
  }

  function choose(cell) {
    const { side, place } = cell.closest(".grid").dataset;
    const entry = Number(cell.dataset.entry);
    if (side === "out") chooseOutput(Number(place), entry);
    else chooseInput(Number(place), entry);
  }

  function step(by) {
    const next = at < 0 && by < 0 ? order.length - 1 : (at + by + order.length) % order.length;
    chooseOutput(...order[next]);
  }

  const play = figure.querySelector('[data-do="play"]');
  function stop() {
    clearInterval(playing);
    playing = 0;
    play.setAttribute("aria-pressed", "false");
    play.textContent = "Play";
  }

  figure.querySelector(".bar").addEventListener("click", (event) => {
    const what = event.target.dataset.do;
    if (!what) return;
    const was = playing;
    stop();
    if (what === "next") step(1);
    if (what === "back") step(-1);
    if (what === "all") whole();
    if (what === "play" && !was) {
      play.setAttribute("aria-pressed", "true");
      play.textContent = "Stop";
      step(1);
      playing = setInterval(() => (at === order.length - 1 ? stop() : step(1)), 1200);
    }
  });
  figure.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("[data-entry]");
    if (cell && event.pointerType === "mouse" && !playing) choose(cell);
  });
  figure.addEventListener("focusin", (event) => {
    const cell = event.target.closest("[data-entry]");
    if (!cell) return;
    stop();
    choose(cell);
    for (const other of cell.closest(".grid").querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    cell.tabIndex = 0;
  });
  figure.addEventListener("keydown", (event) => {
    const cell = event.target.closest("[data-entry]");
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (event.key === "Escape") whole();
    if (!cell || !by) return;
    event.preventDefault();
    const row = Number(cell.dataset.row) + by[0];
    const column = Number(cell.dataset.column) + by[1];
    const next = cell.closest(".grid").querySelector(`[data-row="${row}"][data-column="${column}"]`);
    if (next) next.focus();
  });
  whole();
}

function curve(figure) {
  const { variable, value, places, kinks } = JSON.parse(figure.querySelector("script").textContent);
  const slider = figure.querySelector("input");
  const said = figure.querySelector(".said");
  const cursor = figure.querySelector(".cursor");
  const here = figure.querySelectorAll(".here");
  function look() {
    const [x, y, slope, across, up, along] = places[slider.value];
    cursor.setAttribute("x1", across);
    cursor.setAttribute("x2", across);
    [up, along].forEach((height, panel) => {
      here[panel].removeAttribute("visibility");
      here[panel].setAttribute("cx", across);
      here[panel].setAttribute("cy", height);
    });
    const kink = kinks.find(([at]) => at === x);
    const text = `${variable} = ${x}: ${value} = ${y}, and of d${value}, d${variable} gets ${slope} times as much.`;
    said.textContent = kink ? `${text} Here the slope jumps from ${kink[1]} to ${kink[2]}; the rule takes ${kink[3]}.` : text;
    slider.setAttribute("aria-valuetext", `${variable} ${x}, ${value} ${y}, slope ${slope}`);
  }
  slider.addEventListener("input", look);
  const svg = figure.querySelector("svg");
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let nearest = 0;
    places.forEach((place, i) => {
      if (Math.abs(place[3] - across) < Math.abs(places[nearest][3] - across)) nearest = i;
    });
    slider.value = nearest;
    look();
  });
  look();
}

document.querySelectorAll(".steps").forEach(steps);
document.querySelectorAll(".plot").forEach(curve);
// On a narrow screen the list of operations would fill it.
const list = document.querySelector("nav details");
if (list && matchMedia("(max-width: 74rem)").matches) list.open = false;
