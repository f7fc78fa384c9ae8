"use strict";
for (const viewer of document.querySelectorAll(".viewer")) {
  const find = (name) => viewer.querySelector(`[data-part="${name}"]`);
  const [place, left, right, cut, stage, over, under] = ["place", "left", "right", "cut", "stage", "over", "under"].map(find);
  const sources = () => viewer.querySelector(`[data-place="${place.value}"]`);
  const show = () => {
    for (const [choice, image, tag] of [[left, over, "left-tag"], [right, under, "right-tag"]]) {
      const source = sources().querySelector(`[data-layer="${choice.value}"]`);
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
  const drag = (event) => {
    if (event.buttons !== 1 && event.type !== "pointerdown") return;
    const box = stage.getBoundingClientRect();
    cut.value = Math.round(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
    move();
  };
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("pointermove", drag);
  cut.addEventListener("input", move);
  for (const choice of [place, left, right]) choice.addEventListener("change", show);
  show();
  move();
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
