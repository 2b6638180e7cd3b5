// Talks to the network: a picture goes to the server as it is, comes back as the network sees it, and that is asked about.

const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
const [height, width, most] = [main.dataset.height, main.dataset.width, main.dataset.bodyBytes].map(Number);
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 }).format;
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }).format;
const SHOWN = 5; // classes
let seen = null; // a PNG: what the network sees
let found = []; // its classes, the most probable first
$("patch").style.background = main.dataset.mean;
document.body.classList.toggle("coarse", Math.max(height, width) <= 64);

/** One call at a time; of those that come meanwhile only the last is made. */
function latest(work) {
  let running = false;
  let next = null;
  return async function call(...given) {
    if (running) {
      next = given;
      return;
    }
    running = true;
    try {
      await work(...given);
    } catch (error) {
      say($("said"), error.message, true);
    } finally {
      running = false;
    }
    if (next) {
      const waiting = next;
      next = null;
      call(...waiting);
    }
  };
}

/** The server's answer to a picture. */
async function ask(path, picture, parameters = {}) {
  const type = picture.type || "application/octet-stream";
  let answer;
  try {
    answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { method: "POST", body: picture, headers: { "Content-Type": type } });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (answer.ok) return answer;
  throw new Error((await answer.json()).error.message);
}

async function askJson(path, parameters) {
  return (await ask(path, seen, { ...parameters, preprocessed: true })).json();
}

function say(where, text, wrong = false) {
  where.textContent = text;
  where.classList.toggle("wrong", wrong);
}

/** An element with what is in it. */
function made(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  Object.assign(element, attributes);
  element.append(...inside);
  return element;
}

/** Show probabilities as bars; of those in `before` also where they were. */
function bars(list, predictions, before = null) {
  const rows = predictions.map((prediction) => {
    const fill = made("span", { className: "fill" });
    fill.style.width = percent(prediction.probability);
    const track = made("span", { className: "track", ariaHidden: "true" }, fill);
    if (before) {
      const was = made("span", { className: "was" });
      was.style.left = `calc(${before.get(prediction.index) * 100}% - 1px)`;
      track.append(was);
    }
    const value = made("span", { className: "value", textContent: percent(prediction.probability) });
    return made("li", {}, made("span", { className: "name", textContent: prediction.class }), track, value);
  });
  list.replaceChildren(...rows);
}

function drawn(base64) {
  return `data:image/png;base64,${base64}`;
}

// What is asked of the picture.

const look = latest(async (picture) => {
  if (picture.size > most) throw new Error(`The picture has ${picture.size.toLocaleString("en")} bytes; the server takes at most ${most.toLocaleString("en")}.`);
  seen = await (await ask("/preprocess", picture)).blob();
  const url = URL.createObjectURL(seen);
  for (const image of [document.querySelector("#seen img"), document.querySelector("#field img")]) {
    URL.revokeObjectURL(image.src);
    image.src = url;
  }
  for (const id of ["seen", "looks", "covers", "layers"]) $(id).hidden = false;
  await predict();
  explain();
  cover();
  maps();
});

async function predict() {
  found = (await askJson("/predict", { top: 1000 })).pictures[0].predictions;
  bars($("probabilities"), found.slice(0, SHOWN));
  say($("said"), `${found[0].class}, ${percent(found[0].probability)}`);
}

const explain = latest(async () => {
  const method = $("method").selectedOptions[0];
  const atLayer = "atALayer" in method.dataset;
  $("at").disabled = !atLayer;
  const parameters = { method: method.value };
  if ($("class").value) parameters.class = $("class").value;
  if (atLayer && $("at").value) parameters.layer = $("at").value;
  if ($("overlay").src === "data:,") say($("looked"), "It is compiled when it is first asked for, which may take some seconds.");
  await busy($("overlay"), async () => {
    try {
      const told = await askJson("/explain", parameters);
      $("overlay").src = drawn(told.overlay);
      $("overlay").alt = `${method.text} for ${told.class}, laid over the picture`;
      say($("looked"), `For ${told.class}: the brighter, the more.`);
    } catch (error) {
      say($("looked"), error.message);
    }
  });
});

const maps = latest(async () => {
  await busy($("maps"), async () => {
    const told = await askJson("/features", { layer: $("layer").value });
    const flat = told.shape.length < 2;
    const images = told.maps.map((map) => {
      const words = `${number(map.least)} to ${number(map.most)}`;
      const name = flat ? "all channels" : `channel ${map.channel}`;
      return made("li", {}, made("img", { src: drawn(map.png), alt: `${name}, ${words}` }), flat ? words : `${map.channel}`);
    });
    $("maps").classList.toggle("flat", flat);
    $("maps").replaceChildren(...images);
    const shape = told.shape.join(" × ");
    const shown = flat || told.maps.length === told.shape.at(-1) ? "" : `; the first ${told.maps.length} channels are shown`;
    say($("shape"), `Its output has ${shape} values${shown}. Black is a map's least value, white its largest.`);
  });
});

async function busy(element, work) {
  element.ariaBusy = "true";
  try {
    await work();
  } finally {
    element.ariaBusy = "false";
  }
}

// Covering a part: the patch's centre as shares of the picture, or null.

let patch = null;

const cover = latest(async () => {
  $("patch").hidden = patch === null;
  if (patch === null || seen === null) {
    say($("fell"), "Nothing is covered.");
    bars($("covered"), found.slice(0, SHOWN));
    return;
  }
  const side = Math.max(1, Math.round((Math.min(height, width) * $("size").value) / 100));
  const top = Math.min(Math.max(Math.round(patch.y * height - side / 2), 0), height - side);
  const left = Math.min(Math.max(Math.round(patch.x * width - side / 2), 0), width - side);
  Object.assign($("patch").style, {
    top: `${(top / height) * 100}%`,
    left: `${(left / width) * 100}%`,
    height: `${(side / height) * 100}%`,
    width: `${(side / width) * 100}%`,
  });
  const told = (await askJson("/predict", { top: 1000, cover: [top, left, side, side] })).pictures[0].predictions;
  const before = new Map(found.map((prediction) => [prediction.index, prediction.probability]));
  const now = new Map(told.map((prediction) => [prediction.index, prediction]));
  const shown = found.slice(0, SHOWN).map((prediction) => now.get(prediction.index) ?? { ...prediction, probability: 0 });
  bars($("covered"), shown, before);
  const first = found[0];
  const change = `${first.class}: ${percent(first.probability)} before, ${percent(shown[0].probability)} now`;
  say($("fell"), told[0].index === first.index ? `${change}.` : `${change}; it says ${told[0].class}, ${percent(told[0].probability)}.`);
});

function placed(event, stage) {
  const box = stage.getBoundingClientRect();
  const share = (at, from, length) => Math.min(Math.max((at - from) / length, 0), 1);
  return { x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) };
}

const MIDDLE = { x: 0.5, y: 0.5 };
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The place that an arrow key leads to, `by` as a share of the picture. */
function moved(place, key, by) {
  const [x, y] = STEPS[key];
  const within = (value) => Math.min(Math.max(value, 0), 1);
  return { x: within(place.x + x * by), y: within(place.y + y * by) };
}

$("field").addEventListener("pointermove", (event) => {
  patch = placed(event, $("field"));
  cover();
});
$("field").addEventListener("pointerdown", (event) => {
  patch = placed(event, $("field"));
  cover();
});
$("field").addEventListener("keydown", (event) => {
  if (event.key === "Escape") patch = null;
  else if (event.key in STEPS) patch = moved(patch ?? MIDDLE, event.key, Math.max(1 / Math.min(height, width), 0.04));
  else return;
  event.preventDefault();
  cover();
});
$("size").addEventListener("input", cover);

// Where pictures come from.

$("choose").addEventListener("click", () => $("file").click());
for (const input of [$("file"), $("capture")]) {
  input.addEventListener("change", () => {
    if (input.files.length) look(input.files[0]);
    input.value = "";
  });
}
document.addEventListener("paste", (event) => taken(event.clipboardData, "pasted"));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", () => document.body.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  taken(event.dataTransfer, "dropped");
});

function taken(transfer, how) {
  if (transfer.files.length) look(transfer.files[0]);
  else say($("said"), `What was ${how} is no file; save the picture, and choose it.`, true);
}

const video = document.querySelector("video");

$("photograph").addEventListener("click", async () => {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play(); // until then it has no size
    $("camera").hidden = false;
    $("shoot").focus();
  } catch {
    $("capture").click(); // no camera here, or a page that may not use it: a phone's own camera may still do
  }
});
$("shoot").addEventListener("click", () => {
  const canvas = made("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob(look, "image/png");
});
$("unplug").addEventListener("click", () => {
  for (const track of video.srcObject.getTracks()) track.stop();
  $("camera").hidden = true;
  $("photograph").focus();
});

// Drawing.

const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d");
const mark = document.querySelector(".pen");
let pen = MIDDLE;
let down = false;
if (height > width) canvas.width = Math.round((canvas.height * width) / height);
else canvas.height = Math.round((canvas.width * height) / width);

/** An empty canvas, the pen in its middle. */
function blank() {
  down = false;
  context.fillStyle = $("light").checked ? "#000" : "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  stroke(MIDDLE);
}

/** Move the pen, and where it is down leave a line. */
function stroke(to) {
  if (down) {
    context.strokeStyle = $("light").checked ? "#fff" : "#000";
    context.lineWidth = (Math.min(canvas.width, canvas.height) * $("width").value) / 100;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(pen.x * canvas.width, pen.y * canvas.height);
    context.lineTo(to.x * canvas.width, to.y * canvas.height);
    context.stroke();
    lookAtDrawing();
  }
  pen = to;
  Object.assign(mark.style, { left: `${pen.x * 100}%`, top: `${pen.y * 100}%` });
  mark.classList.toggle("down", down);
}

const lookAtDrawing = latest(async () => look(await new Promise((done) => canvas.toBlob(done, "image/png"))));

$("draw").addEventListener("click", () => {
  $("easel").hidden = !$("easel").hidden;
  $("draw").ariaExpanded = String(!$("easel").hidden);
  if (!$("easel").hidden) $("board").focus();
});
$("clear").addEventListener("click", blank);
$("light").addEventListener("change", blank);
$("board").addEventListener("pointerdown", (event) => {
  $("board").setPointerCapture(event.pointerId);
  pen = placed(event, $("board"));
  down = true;
  stroke(pen);
});
$("board").addEventListener("pointermove", (event) => {
  if (event.buttons) stroke(placed(event, $("board")));
});
$("board").addEventListener("pointerup", () => {
  down = false;
  stroke(pen);
});
$("board").addEventListener("keydown", (event) => {
  if (event.key === " ") {
    down = !down;
    stroke(pen);
  } else if (event.key in STEPS) stroke(moved(pen, event.key, 0.04));
  else return;
  event.preventDefault();
});
blank();

for (const id of ["class", "method", "at"]) $(id).addEventListener("change", explain);
$("layer").addEventListener("change", maps);
