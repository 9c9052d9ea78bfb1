"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const form = document.getElementById("filters");

function filter() {
  const severities = new Set(all("input[name=severity]:checked", form).map((box) => box.value));
  const { pattern, table, text } = form.elements;
  const words = text.value.trim().toLowerCase();
  let count = 0;
  for (const item of all("#findings .finding")) {
    const shown =
      severities.has(item.dataset.severity) &&
      (!pattern.value || pattern.value === item.dataset.pattern) &&
      (!table.value || table.value === item.dataset.table) &&
      (!words || item.textContent.toLowerCase().includes(words));
    item.hidden = !shown;
    count += shown;
  }
  for (const section of all(".pattern")) section.hidden = !section.querySelector(".finding:not([hidden])");
  document.getElementById("shown").value = `${count} shown`;
  mark(table.value);
}

function mark(name) {
  for (const box of all(".box")) box.classList.toggle("chosen", box.dataset.table === name);
  for (const link of all(".link")) link.classList.toggle("chosen", [link.dataset.child, link.dataset.parent].includes(name));
}

// The findings of a table under the diagram, as copies: the list above may be far away.
function select(section, name) {
  const panel = section.querySelector(".selection");
  const title = document.createElement("h3");
  const found = all("#findings .finding").filter((item) => item.dataset.table === name);
  title.textContent = `${name}: ${found.length || "no"} finding${found.length === 1 ? "" : "s"}`;
  panel.replaceChildren(title, ...found.map((item) => item.cloneNode(true)));
  for (const item of all(".finding", panel)) {
    item.hidden = false;
    const link = document.createElement("a");
    link.href = `#pattern-${item.dataset.pattern}`;
    link.textContent = item.dataset.pattern;
    item.firstElementChild.prepend(link, " ");
  }
  for (const button of all(".copy", panel)) button.addEventListener("click", () => copy(button));
  mark(name);
}

async function copy(button) {
  await navigator.clipboard.writeText(button.nextElementSibling.textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
}

// A link to a pattern must lead to it, also where a filter hides it.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.hidden) {
    form.reset();
    filter();
    target.scrollIntoView();
  }
});

for (const button of all(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

for (const section of all(".schema")) {
  const svg = section.querySelector("svg");
  const whole = svg.getAttribute("viewBox").split(" ").map(Number);
  let view = [...whole];
  const show = () => {
    svg.setAttribute("viewBox", view.join(" "));
    svg.classList.toggle("far", svg.getBoundingClientRect().width / view[2] < 0.4);
  };
  const zoom = (factor, x = 0.5, y = 0.5) => {
    const width = Math.min(Math.max(view[2] * factor, 200), whole[2] * 4);
    const scale = width / view[2];
    view = [view[0] + view[2] * (1 - scale) * x, view[1] + view[3] * (1 - scale) * y, width, view[3] * scale];
    show();
  };
  const goTo = (box) => {
    const [x, y] = box.getAttribute("transform").match(/-?\d+/g).map(Number);
    const frame = svg.getBoundingClientRect();
    const width = Math.min(frame.width * 1.2, 1200);
    view = [x + 120 - width / 2, y + 80 - (width * frame.height) / frame.width / 2, width, (width * frame.height) / frame.width];
    show();
  };
  addEventListener("resize", show);
  show();
  const actions = { "zoom-in": () => zoom(0.8), "zoom-out": () => zoom(1.25), fit: () => { view = [...whole]; show(); } };
  for (const button of all("[data-do]", section)) button.addEventListener("click", actions[button.dataset.do]);

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = svg.getBoundingClientRect();
    zoom(Math.exp(event.deltaY * 0.001), (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height);
  }, { passive: false });

  let from = null;
  let moved = false;
  svg.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; moved = false; });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const frame = svg.getBoundingClientRect();
    const scale = Math.max(view[2] / frame.width, view[3] / frame.height);
    const [dx, dy] = [event.clientX - from[0], event.clientY - from[1]];
    if (!moved && Math.hypot(dx, dy) < 4) return;
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    view = [view[0] - dx * scale, view[1] - dy * scale, view[2], view[3]];
    from = [event.clientX, event.clientY];
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { from = null; });

  for (const box of all(".box", svg)) {
    box.addEventListener("click", () => { if (!moved) select(section, box.dataset.table); });
    box.addEventListener("keydown", (event) => { if (event.key === "Enter") select(section, box.dataset.table); });
  }
  section.querySelector(".find").addEventListener("input", (event) => {
    const words = event.target.value.trim().toLowerCase();
    const boxes = all(".box", svg);
    const hit = words && (boxes.find((box) => box.dataset.table.toLowerCase().endsWith(`.${words}`)) ||
      boxes.find((box) => box.dataset.table.toLowerCase().includes(words)));
    if (hit) goTo(hit);
  });
}
