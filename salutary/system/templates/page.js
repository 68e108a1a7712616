// Tables of a page: rows can be sorted and filtered, and a long table is shown a page at a time.
// Without scripts all of it is there, in the order of the file.
(() => {
  "use strict";
  const PAGE = 25; // rows at a time, as in page.css
  const FILTERED = 15; // rows above which a table can be filtered
  // At the beginning of a text, but not of a date, a version or a range.
  const NUMBER = /^[-+]?(?:inf(?:inity)?\b|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?![\d.]*[./:-]\d)/i;
  const DECIMAL_COMMA = /^[-+]?\d*,(?!\d{3}(?!\d))\d+/;
  const order = new Intl.Collator(undefined, { numeric: true });

  const textOf = (cell) => cell.textContent.trim() || (cell.querySelector("img") || {}).alt || "";

  function numberOf(text, hasDecimalCommas) {
    const plain = text.replace("\u2212", "-").replace(/(\d)[ \u00a0\u202f](?=\d{3}(?!\d))/g, "$1");
    const grouped = hasDecimalCommas
      ? plain.replace(/\./g, "").replace(",", ".") : plain.replace(/(\d),(?=\d{3}(?!\d))/g, "$1");
    const found = grouped.match(NUMBER);
    return found ? Number(found[0].replace(/inf(inity)?/i, "Infinity")) : NaN;
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  // By number where every cell begins with one, else by text; what is empty comes last, either way.
  function sorted(rows, column, sign) {
    const texts = rows.map((row) => textOf(row.cells[column]).replace(/^nan$/i, ""));
    const commas = texts.some((text) => DECIMAL_COMMA.test(text));
    const keys = new Map(rows.map((row, i) => [row, { text: texts[i], number: numberOf(texts[i], commas) }]));
    const numeric = [...keys.values()].every(({ text, number }) => !text || !Number.isNaN(number));
    return [...rows].sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      if (!one.text || !other.text) return Boolean(other.text) - Boolean(one.text);
      return sign * ((numeric && one.number - other.number) || order.compare(one.text, other.text));
    });
  }

  function enliven(region) {
    const table = region.querySelector("table");
    const body = table.tBodies[0];
    const given = [...body.rows];
    let rows = given;
    let kept = given;
    let first = 0;

    const status = element("span", { role: "status" });
    const previous = element("button", { type: "button" }, "Previous");
    const next = element("button", { type: "button" }, "Next");

    function show() {
      kept.forEach((row, i) => row.classList.toggle("elsewhere", i < first || i >= first + PAGE));
      const all = given.length.toLocaleString("en");
      const found = kept.length < given.length ? `${kept.length.toLocaleString("en")} found of ${all}` : all;
      const last = Math.min(first + PAGE, kept.length);
      status.textContent = kept.length > PAGE
        ? `Rows ${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${found}` : `${found} rows`;
      // Not disabled: a button that has the focus would lose it.
      previous.setAttribute("aria-disabled", first === 0);
      next.setAttribute("aria-disabled", last === kept.length);
    }

    function showAgain() {
      kept = rows.filter((row) => !row.classList.contains("filtered"));
      first = 0;
      show();
    }

    function turn(button, step) {
      if (button.getAttribute("aria-disabled") === "true") return;
      first += step;
      show();
    }

    function filter(words) {
      for (const row of given) {
        row.searched = row.searched ?? [...row.cells].map(textOf).join("\n").toLowerCase();
        row.classList.toggle("filtered", !words.every((word) => row.searched.includes(word)));
      }
      showAgain();
    }

    function sort(heading, column) {
      const now = { null: "ascending", ascending: "descending" }[heading.getAttribute("aria-sort")];
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      if (now) heading.setAttribute("aria-sort", now);
      rows = now ? sorted(given, column, now === "ascending" ? 1 : -1) : given;
      body.append(...rows);
      showAgain();
    }

    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = element("button", { type: "button" }, ...heading.childNodes);
      button.addEventListener("click", () => sort(heading, column));
      heading.append(button);
    });
    if (given.length > FILTERED) {
      const name = `Filter ${region.getAttribute("aria-label")}`;
      const input = element("input", { type: "search", autocomplete: "off", "aria-label": name });
      input.addEventListener("input", () => filter(input.value.toLowerCase().split(/\s+/).filter(Boolean)));
      const controls = element("div", { class: "controls" }, element("label", {}, "Filter ", input));
      if (given.length > PAGE) controls.append(previous, next);
      previous.addEventListener("click", () => turn(previous, -PAGE));
      next.addEventListener("click", () => turn(next, PAGE));
      controls.append(status);
      region.before(controls);
      show();
    }
    table.classList.add("ready");
  }

  document.documentElement.classList.add("scripted");
  document.addEventListener("DOMContentLoaded", () => {
    for (const region of document.querySelectorAll(".table")) {
      const { tHead, tBodies } = region.querySelector("table");
      if (tHead && tBodies.length && tBodies[0].rows.length > 1) enliven(region);
      else region.querySelector("table").classList.add("ready");
    }
  });
})();
