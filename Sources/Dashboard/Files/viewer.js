"use strict";
// Three planes of a volume with the labels over them. The server cuts the planes; the colours are laid over them here.
const viewer = document.getElementById("viewer");
const address = viewer.dataset.volume;
const find = (id) => document.getElementById(id);

const pixels = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
};

const element = (name, attributes = {}, ...content) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
};

const show = async (volume) => {
  const colors = new Map(volume.segments.map((segment) => [segment.number, segment.color]));
  const hidden = new Set();
  const planes = volume.planes.map((plane) => {
    const canvas = element("canvas", { width: plane.columns, height: plane.rows, role: "img" });
    const slider = element("input", { type: "range", min: 0, max: plane.count - 1, value: plane.first, "aria-label": `Slice, ${plane.name}` });
    const place = element("span", { "aria-live": "off" });
    // In the patient's proportions, as large as fits.
    const width = plane.columns * plane.pixelWidth;
    const height = plane.rows * plane.pixelHeight;
    canvas.style.aspectRatio = `${width} / ${height}`;
    canvas.style.width = `min(100%, ${Math.round(26 * Math.min(1, width / height))}rem)`;
    find("planes").append(element("section", { class: "plane", "aria-label": plane.name },
      element("div", { class: "edge" }, `${plane.name} · ${plane.top}`),
      element("div", { class: "row" }, plane.left, canvas, plane.right),
      element("div", { class: "edge" }, plane.bottom), slider, place));
    return { plane, canvas, slider, place, image: null, labels: null, wanted: 0, drawn: 0 };
  });

  const draw = (view) => {
    if (!view.image || !view.labels) return;
    const opacity = find("opacity").value / 100;
    const result = new ImageData(new Uint8ClampedArray(view.image.data), view.image.width, view.image.height);
    for (let at = 0; at < result.data.length; at += 4) {
      const number = view.labels.data[at];
      const color = number && !hidden.has(number) && colors.get(number);
      if (!color) continue;
      for (let channel = 0; channel < 3; channel++) {
        result.data[at + channel] = (1 - opacity) * result.data[at + channel] + opacity * color[channel];
      }
    }
    view.canvas.getContext("2d").putImageData(result, 0, 0);
    const index = Number(view.slider.value);
    view.canvas.setAttribute("aria-label", `${view.plane.name}, slice ${index + 1} of ${view.plane.count}`);
    view.canvas.dataset.index = index;
    view.place.textContent = `${index + 1} / ${view.plane.count}`;
  };

  const load = async (view) => {
    const turn = ++view.wanted;
    const index = view.slider.value;
    const window = volume.windows[find("window").value];
    try {
      const [image, labels] = await Promise.all([
        pixels(`${address}/slices/${view.plane.normal}/${index}?low=${window.low}&high=${window.high}`),
        pixels(`${address}/labels/${view.plane.normal}/${index}`)]);
      // A later one may have been faster.
      if (turn < view.drawn) return;
      view.drawn = turn;
      Object.assign(view, { image, labels });
      find("fault").textContent = "";
      draw(view);
    } catch (error) {
      find("fault").textContent = error.message;
      // Too many at once: again in a second, unless another one is wanted by then.
      if (error.status === 429) setTimeout(() => { if (turn === view.wanted) load(view); }, 1000);
    }
  };

  volume.windows.forEach((window, number) => {
    const text = `${window.name} (${Math.round(window.low)} to ${Math.round(window.high)})`;
    find("window").append(element("option", { value: number }, text));
  });
  for (const segment of volume.segments) {
    const box = element("input", { type: "checkbox", checked: "" });
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = `rgb(${segment.color.join(",")})`;
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(segment.number); else hidden.add(segment.number);
      planes.forEach(draw);
    });
    find("labels").append(element("label", {}, box, " ", swatch, ` ${segment.name}`));
  }
  find("opacity").addEventListener("input", () => planes.forEach(draw));
  find("window").addEventListener("change", () => planes.forEach(load));
  for (const view of planes) {
    view.slider.addEventListener("input", () => load(view));
    view.canvas.addEventListener("wheel", (event) => {
      // With a key held down it enlarges the page.
      if (event.ctrlKey || event.deltaY === 0) return;
      event.preventDefault();
      const before = view.slider.value;
      view.slider.value = Number(before) + Math.sign(event.deltaY);
      if (view.slider.value !== before) load(view);
    }, { passive: false });
  }
  await Promise.all(planes.map(load));
  viewer.dataset.ready = "";
};

fetch(address).then(async (answer) => {
  if (!answer.ok) throw new Error(await answer.text());
  await show(await answer.json());
}).catch((error) => { find("fault").textContent = error.message; });
