"use strict";
for (const viewer of document.querySelectorAll(".viewer")) {
  const find = (name) => viewer.querySelector(`[data-part="${name}"]`);
  const [place, left, right, zoom, cut, stage, over, under] = ["place", "left", "right", "zoom", "cut", "stage", "over", "under"].map(find);
  const sources = () => document.querySelector(`[data-place="${place.value}"]`);
  const centre = { x: 0.5, y: 0.5 }; // of what is seen, as a share of the image
  const scale = () => (zoom.value === "fit" ? stage.clientWidth / under.naturalWidth : Number(zoom.value));
  const size = () => scale() * under.naturalWidth;
  const zoomed = () => size() > stage.clientWidth + 1;
  const lay = () => {
    const half = Math.min(0.5, stage.clientWidth / 2 / size());
    for (const axis of ["x", "y"]) centre[axis] = Math.min(1 - half, Math.max(half, centre[axis]));
    for (const image of [over, under]) {
      const fits = zoom.value === "fit";
      Object.assign(image.style, {
        width: fits ? "" : `${size()}px`,
        height: fits ? "" : `${size()}px`,
        left: fits ? "" : `${Math.round(stage.clientWidth / 2 - centre.x * size())}px`,
        top: fits ? "" : `${Math.round(stage.clientHeight / 2 - centre.y * size())}px`,
      });
    }
    stage.classList.toggle("zoomed", zoomed());
  };
  const pan = (x, y) => {
    centre.x += x / size();
    centre.y += y / size();
    lay();
  };
  const show = () => {
    for (const [choice, image, tag] of [[left, over, "left-tag"], [right, under, "right-tag"]]) {
      const source = sources().querySelector(`[data-layer="${choice.value}"]`) ?? sources().querySelector("[data-layer]");
      image.src = source.src;
      image.alt = source.alt;
      find(tag).textContent = source.dataset.label;
    }
    find("caption").textContent = sources().dataset.caption;
  };
  const move = () => {
    stage.style.setProperty("--cut", `${cut.value}%`);
    cut.setAttribute("aria-valuetext", `${cut.value} % of the left image is shown`);
  };
  let panning = null;
  const press = (event) => {
    const box = stage.getBoundingClientRect();
    const far = Math.abs(event.clientX - box.left - (box.width * cut.value) / 100) > 24;
    panning = zoomed() && far ? { x: event.clientX, y: event.clientY } : null;
    stage.setPointerCapture(event.pointerId);
    drag(event);
  };
  const drag = (event) => {
    if (event.buttons !== 1 && event.type !== "pointerdown") return;
    if (panning) {
      pan(panning.x - event.clientX, panning.y - event.clientY);
      panning = { x: event.clientX, y: event.clientY };
      return;
    }
    const box = stage.getBoundingClientRect();
    cut.value = Math.round(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
    move();
  };
  const steps = { ArrowLeft: [-40, 0], ArrowRight: [40, 0], ArrowUp: [0, -40], ArrowDown: [0, 40] };
  stage.addEventListener("keydown", (event) => {
    if (!zoomed() || !(event.key in steps)) return;
    event.preventDefault();
    pan(...steps[event.key]);
  });
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", drag);
  zoom.addEventListener("change", lay);
  under.addEventListener("load", lay);
  new ResizeObserver(lay).observe(stage);
  cut.addEventListener("input", move);
  for (const choice of [place, left, right]) choice.addEventListener("change", show);
  show();
  move();
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
