"use strict";
// Shows the probes behind a chosen cell of a matrix; the page is complete without it.
(() => {
  const data = JSON.parse(document.getElementById("outcomes").textContent);

  const element = (name, text, className) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const show = (button) => {
    const figure = button.closest("figure");
    const { entry, set, gallery, probe } = button.dataset;
    const result = data.results[entry];
    const rows = data.sets[set].filter(
      (row) => data.probes[1][row] === Number(probe) && result.named[gallery][row] >= 0,
    );
    const isRight = (row) => result.rank[gallery][row] === 1;
    const right = rows.filter(isRight);
    const wrong = rows.filter((row) => !isRight(row));
    const place = figure.querySelector(".outcomes");
    const list = document.createElement("ul");
    for (const row of [...wrong, ...right]) {
      const rank = result.rank[gallery][row];
      const truth = rank ? `rank ${rank}` : "not enrolled";
      const mark = isRight(row) ? "✓" : "✗";
      const named = data.walks[result.named[gallery][row]];
      const distance = result.distance[gallery][row];
      const item = element("li", "", isRight(row) ? "right" : "wrong");
      item.append(
        element("b", `${mark} ${data.walks[data.probes[0][row]]}`),
        ` → ${named}, distance ${distance}` + (isRight(row) ? "" : `; true person: ${truth}`),
      );
      list.append(item);
    }
    const degrees = (view) => (view === "all" ? view : `${view}°`);
    const views = `Gallery ${degrees(data.gallery[gallery])}, probe ${degrees(data.probe[probe])}`;
    place.replaceChildren(
      element("p", `${views}: ${right.length} of ${rows.length} probes are right.`),
      list,
    );
    for (const other of figure.querySelectorAll("[aria-pressed]")) {
      other.removeAttribute("aria-pressed");
    }
    button.setAttribute("aria-pressed", "true");
  };

  // One stop of the tabulator key for each matrix; arrows move within.
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  for (const table of document.querySelectorAll(".matrix")) {
    table.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) show(button);
    });
    table.addEventListener("keydown", (event) => {
      const button = event.target.closest("button");
      const step = steps[event.key];
      if (!button || !step) return;
      const row = Number(button.dataset.gallery) + step[0];
      const column = Number(button.dataset.probe) + step[1];
      const next = table.querySelector(`[data-gallery="${row}"][data-probe="${column}"]`);
      if (!next) return;
      event.preventDefault();
      button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
})();
