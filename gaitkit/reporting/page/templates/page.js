"use strict";
// Shows the probes behind a cell or a person that was chosen, and a probe beside its nearest; the
// page is complete without it.
(() => {
  const data = JSON.parse(document.getElementById("outcomes").textContent);
  const MOST = 200;
  const phone = matchMedia("(max-width: 40rem)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const element = (name, text, className) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const many = (number) => number.toLocaleString("en");
  const degrees = (view) => (view === "all" || !view ? view : `${view}°`);
  const walk = (row) => data.walks[data.rows[0][row]];
  const person = (row) => data.people[data.rows[1][row]];
  const bring = (target) =>
    target.scrollIntoView({ block: "nearest", behavior: still.matches ? "auto" : "smooth" });

  // A sheet is decoded once, when the first of its pictures is looked at.
  const sheets = data.sheets.map((sheet) => ({ ...sheet, image: null }));
  const picture = (sheet, row, words) => {
    const place = sheet.places[row];
    const canvas = element("canvas", "");
    canvas.width = sheet.width;
    canvas.height = sheet.height;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", place < 0 ? `no picture of ${words}` : words);
    if (place < 0) return canvas;
    if (!sheet.image) {
      sheet.image = new Image();
      sheet.image.src = sheet.source;
    }
    const left = (place % sheet.columns) * sheet.width;
    const top = Math.floor(place / sheet.columns) * sheet.height;
    sheet.image.decode().then(() => {
      const size = [sheet.width, sheet.height];
      canvas.getContext("2d").drawImage(sheet.image, left, top, ...size, 0, 0, ...size);
    });
    return canvas;
  };
  const beside = (probe, named, right) => {
    const place = element("div", "", "look");
    for (const sheet of sheets) {
      for (const [row, what, mark] of [[probe, "seen", ""], [named, "nearest", right]]) {
        const figure = element("figure", "", mark === "" ? "" : mark ? "right" : "wrong");
        const view = degrees(data.rows[2][row]);
        const words = `${walk(row)}${view && ` ${view}`}`;
        const made = sheets.length > 1 ? ` (${sheet.title})` : "";
        const caption = element("figcaption", `${what}: ${words}${made}`);
        figure.append(picture(sheet, row, `${what}: ${words}`), caption);
        place.append(figure);
      }
    }
    return place;
  };

  // Searches, each a probe and the gallery of one view; those that went wrong come first.
  const list = (place, entry, searches, told) => {
    const result = data.results[entry];
    const rank = ([probe, gallery]) => result.rank[gallery][probe];
    const right = searches.filter((search) => rank(search) === 1);
    const wrong = searches.filter((search) => rank(search) !== 1);
    const lines = element("ul", "");
    for (const search of [...wrong, ...right].slice(0, MOST)) {
      const [probe, gallery] = search;
      const row = data.probes[0][probe];
      const named = result.named[gallery][probe];
      const isRight = rank(search) === 1;
      const truth = rank(search) ? `rank ${rank(search)}` : "not enrolled";
      const views = `${degrees(data.rows[2][row])} in ${degrees(data.gallery[gallery])}`;
      const item = element("li", "", isRight ? "right" : "wrong");
      const line = sheets.length ? element("button", "", "probe") : element("span", "");
      line.append(
        element("b", `${isRight ? "✓" : "✗"} ${walk(row)}`),
        `${told.views ? ` ${views}` : ""} → ${walk(named)}, distance ` +
          `${result.distance[gallery][probe]}` + (isRight ? "" : `; true person: ${truth}`),
      );
      item.append(line);
      if (sheets.length) {
        line.type = "button";
        line.setAttribute("aria-expanded", "false");
        line.addEventListener("click", () => {
          const shown = item.querySelector(".look");
          line.setAttribute("aria-expanded", String(!shown));
          if (shown) {
            shown.remove();
            return;
          }
          item.append(beside(row, named, isRight));
          bring(item);
        });
      }
      lines.append(item);
    }
    const more = searches.length - MOST;
    place.replaceChildren(
      element("p", `${told.head}: ${many(right.length)} of ${many(searches.length)} ${told.noun} are right.`),
      lines,
      ...(more > 0 ? [element("p", `and ${many(more)} more`)] : []),
    );
    bring(place);
  };
  const press = (button, around) => {
    for (const other of around.querySelectorAll("[aria-pressed]")) {
      other.removeAttribute("aria-pressed");
    }
    button.setAttribute("aria-pressed", "true");
  };

  const showCell = (button) => {
    const figure = button.closest("figure");
    const { entry, set, gallery, probe } = button.dataset;
    const result = data.results[entry];
    const searches = data.sets[set]
      .filter((at) => data.probes[1][at] === Number(probe) && result.named[gallery][at] >= 0)
      .map((at) => [at, Number(gallery)]);
    const head = `Gallery ${degrees(data.gallery[gallery])}, probe ${degrees(data.probe[probe])}`;
    press(button, figure);
    list(figure.querySelector(".outcomes"), entry, searches, { head, noun: "probes" });
  };

  const showPerson = (button) => {
    const { entry, person: name, taken } = button.dataset;
    const result = data.results[entry];
    const searches = [];
    data.probes[0].forEach((row, at) => {
      if (person(row) !== name) return;
      result.named.forEach((named, gallery) => {
        if (named[at] < 0 || !data.counted[gallery][data.probes[1][at]]) return;
        if (taken === undefined || person(named[at]) === taken) searches.push([at, gallery]);
      });
    });
    const fold = button.closest("details");
    press(button, fold);
    const head = taken === undefined ? name : `${name} taken for ${taken}`;
    const told = { head, noun: "searches", views: true };
    list(fold.querySelector(".outcomes"), entry, searches, told);
  };

  // One stop of the tabulator key for each matrix; arrows move within.
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  for (const table of document.querySelectorAll(".matrix")) {
    table.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) showCell(button);
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
  for (const button of document.querySelectorAll("button.person-link")) {
    button.addEventListener("click", () => showPerson(button));
  }

  // On a phone what is detail is folded; on paper everything is open.
  for (const fold of document.querySelectorAll("details.fold")) fold.open = !phone.matches;
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const fold of opened) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of opened) fold.open = false;
    opened = [];
  });
})();
