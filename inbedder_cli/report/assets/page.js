// What is selected, and everything that shows it: the tables, the map, the details and the rows.

const RAMP_STEPS = 24;

class Page {
  constructor(data) {
    this.data = data;
    this.question = 0;
    this.words = [];
    this.lasso = null;
    this.picked = null;
    this.map = new RowMap(byId("map"));
    this.rows = new Rows(data, byId("rows"));
    this.map.onPick = (place) => this.pick(place === this.picked || place < 0 ? null : place);
    this.map.onLasso = (chosen) => { this.lasso = chosen; this.picked = null; this.update(); };
    this.map.onHover = (i, left, top) => this.tip(i, left, top);
    this.listen();
    this.theme();
    this.choose(0);
  }

  listen() {
    document.querySelectorAll("[role=tab]").forEach((tab, i, tabs) => {
      tab.addEventListener("click", () => this.choose(i));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = (i + step + tabs.length) % tabs.length;
        this.choose(next);
        tabs[next].focus();
      });
    });
    document.querySelectorAll(".clusters").forEach((table) => this.listenTable(table));
    const search = () => {
      this.words = patterns(byId("search").value);
      this.update();
    };
    byId("search").addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(search, this.data.ids.length > 5000 ? 180 : 40);
    });
    byId("color")?.addEventListener("change", () => this.paint());
    byId("clear").addEventListener("click", () => {
      byId("search").value = "";
      this.words = [];
      this.lasso = null;
      this.pick(null);
    });
    for (const mode of ["lasso", "move"]) byId(mode).addEventListener("click", () => this.drag(mode, true));
    byId("closer").addEventListener("click", () => this.map.zoomBy(1.5));
    byId("farther").addEventListener("click", () => this.map.zoomBy(1 / 1.5));
    byId("whole").addEventListener("click", () => this.map.fit());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && (this.picked !== null || this.lasso)) byId("clear").click();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.theme());
    addEventListener("beforeprint", () => {
      this.theme(true);
      byId("printed").src = this.map.points.toDataURL();
    });
    addEventListener("afterprint", () => this.theme());
  }

  listenTable(table) {
    const body = table.tBodies[0];
    for (const row of body.rows) {
      row.addEventListener("click", () => {
        if (getSelection().isCollapsed) this.pick(Number(row.dataset.place) === this.picked ? null : Number(row.dataset.place), true);
      });
    }
    for (const head of table.tHead.querySelectorAll("[data-sort]")) {
      const key = head.dataset.sort;
      const button = make("button", { type: "button", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isDown = head.ariaSort ? head.ariaSort === "ascending" : key !== "label";
        for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
        head.ariaSort = isDown ? "descending" : "ascending";
        const compare = new Intl.Collator(undefined, { numeric: true }).compare;
        const rows = [...body.rows].sort((a, b) => {
          const sign = key === "label" ? compare(a.dataset.label, b.dataset.label) : a.dataset[key] - b.dataset[key];
          return Number(a.classList.contains("outside")) - Number(b.classList.contains("outside")) || (isDown ? -sign : sign);
        });
        body.append(...rows);
      });
    }
  }

  drag(mode, isAsked) {
    this.map.mode = mode;
    for (const one of ["lasso", "move"]) byId(one).ariaPressed = String(one === mode);
    // A finger scrolls the page until it is told to act on the map.
    this.map.box.classList.toggle("free", isAsked);
  }

  theme(isPrinting = false) {
    const style = getComputedStyle(document.documentElement);
    const isDark = !isPrinting && matchMedia("(prefers-color-scheme: dark)").matches;
    const side = isDark ? "dark" : "light";
    this.color = (key) => style.getPropertyValue(`--${side}-${key}`).trim();
    this.map.ground = this.color("ground");
    this.map.ink = isDark ? "#e8ebf0" : "#1a1f27";
    this.map.ratio = isPrinting ? 3 : undefined;
    if (this.map.clusters) this.paint();
    this.map.resize();
  }

  choose(question) {
    this.question = question;
    this.picked = this.lasso = null;
    document.querySelectorAll("[role=tab]").forEach((tab, i) => {
      tab.ariaSelected = String(i === question);
      tab.tabIndex = i === question ? 0 : -1;
    });
    document.querySelectorAll(".question").forEach((section, i) => { section.hidden = i !== question; });
    const { x, y, groups, clusters } = this.data.questions[question];
    this.map.load(x, y, groups, clusters);
    byId("key").replaceChildren(...clusters.map((cluster, place) => {
      const name = make("span", { textContent: cluster.label, dir: "auto" });
      const button = make("button", { type: "button" }, swatch(cluster, place), name, make("small", { textContent: cluster.share }));
      button.addEventListener("click", () => this.pick(place));
      return make("li", {}, button);
    }));
    this.paint();
    this.update();
  }

  paint() {
    const column = this.data.columns[byId("color")?.value || -1];
    const { groups, clusters } = this.data.questions[this.question];
    const gray = { color: this.color("gray"), shape: "circle", gray: true };
    const hue = (place) => ({ color: this.color(place % COLORS), shape: SHAPES[Math.floor(place / COLORS) % SHAPES.length] });
    if (!column) {
      const styles = [...clusters.map((cluster, place) => (cluster.outside ? gray : hue(place))), gray];
      this.map.paint(groups.map((place) => (place < 0 ? clusters.length : place)), styles);
      this.legend(clusters.some((cluster) => cluster.outside) ? [[null, "in no cluster"]] : []);
    } else if (column.ramp) {
      const styles = Array.from({ length: RAMP_STEPS }, (_, i) => ({ color: mix(this.color("low"), this.color("high"), i / (RAMP_STEPS - 1)), shape: "circle" }));
      const bucket = (value) => (value === null || value === undefined ? RAMP_STEPS : Math.round(value * (RAMP_STEPS - 1)));
      this.map.paint(column.rows.map((place) => bucket(column.ramp[place])), [...styles, gray]);
      this.legend([], column.ends, styles.map(({ color }) => color));
    } else {
      const colored = new Map(column.colored.map((place, i) => [place, i]));
      const n = column.colored.length;
      this.map.paint(column.rows.map((place) => colored.get(place) ?? n), [...column.colored.map((_, i) => hue(i)), gray]);
      const rest = column.values.length > n ? [[null, "others"]] : [];
      this.legend([...column.colored.map((place, i) => [i, column.values[place]]), ...rest]);
    }
  }

  legend(entries, ends, colors) {
    const listed = entries.map(([place, name]) => make("span", { dir: "auto" }, swatch(place === null ? null : {}, place), name.slice(0, 60)));
    if (ends) {
      const bar = make("canvas", { width: 140, height: 12 });
      const context = bar.getContext("2d");
      colors.forEach((color, i) => {
        context.fillStyle = color;
        context.fillRect((i * 140) / colors.length, 0, 140 / colors.length + 1, 12);
      });
      listed.push(make("span", { textContent: ends[0] }), bar, make("span", { textContent: ends[1] }));
    }
    byId("legend").replaceChildren(...listed);
  }

  pick(place, isFromTable = false) {
    this.picked = place;
    if (place !== null) this.lasso = null;
    this.update();
    const explore = byId("explore");
    if (isFromTable && place !== null && explore.getBoundingClientRect().top > innerHeight * 0.6) explore.scrollIntoView();
  }

  update() {
    const { data, words, lasso, picked } = this;
    const { groups, clusters, answers } = data.questions[this.question];
    if (words.length && !this.folded) this.folded = (data.texts ?? answers ?? data.ids).map(fold);
    const lit = new Uint8Array(groups.length);
    for (let i = 0; i < lit.length; i++) {
      lit[i] = Number(
        (picked === null || groups[i] === picked) && (!lasso || lasso[i]) && words.every((word) => word.test(this.folded[i])),
      );
    }
    this.map.picked = picked;
    this.map.light(lit);
    for (const row of document.querySelectorAll(`#question-${this.question} .clusters tbody tr`)) {
      const isPicked = Number(row.dataset.place) === picked;
      row.classList.toggle("picked", isPicked);
      row.querySelector(".pick").ariaPressed = String(isPicked);
    }
    for (const detail of document.querySelectorAll(".detail")) detail.hidden = detail.id !== `detail-${this.question}-${picked}`;
    byId("nothing").hidden = picked !== null;
    document.body.classList.toggle("picked", picked !== null);
    byId("details").scrollTop = 0;
    const n = lit.reduce((sum, one) => sum + one, 0);
    const what = [
      picked === null ? "" : `in “${clusters[picked].label}”`,
      lasso ? "in the lasso" : "",
      words.length ? `with “${byId("search").value.trim()}”` : "",
    ].filter(Boolean).join(", ");
    byId("status").textContent = what ? `${count(n)} of ${count(lit.length)} rows, ${what}` : `${count(n)} rows`;
    byId("lit").textContent = byId("status").textContent; // beside the map too: the table is far below it
    byId("clear").disabled = !what;
    this.rows.show(this.question, lit, words);
  }

  tip(i, left, top) {
    const tip = byId("tip");
    tip.hidden = !(i >= 0);
    if (tip.hidden) return;
    const { groups, clusters, answers } = this.data.questions[this.question];
    const text = this.data.texts ? this.data.texts[i] : "";
    const column = this.data.columns[byId("color")?.value || -1];
    const facts = [this.data.ids[i], answers?.[i] && `answered “${answers[i].slice(0, 80)}”`, column && `${column.name}: ${column.values[column.rows[i]] ?? "none"}`];
    tip.replaceChildren(
      make("b", { textContent: clusters[groups[i]]?.label ?? "", dir: "auto" }),
      make("span", { textContent: text.length > 260 ? text.slice(0, 260) + "…" : text, dir: "auto" }),
      make("small", { textContent: facts.filter(Boolean).join(" · "), dir: "auto" }),
    );
    const { width, height } = this.map;
    const x = Math.max(6, Math.min(left + 16, width - tip.offsetWidth - 6));
    const below = top + 18 + tip.offsetHeight < height;
    tip.style.transform = `translate(${x}px, ${Math.max(6, below ? top + 18 : top - tip.offsetHeight - 14)}px)`;
  }
}

document.documentElement.classList.add("scripted");
function start() {
  readData().then((data) => { window.report = new Page(data); }).catch((error) => {
    document.documentElement.classList.remove("scripted");
    throw error;
  });
}

// What needs no data is painted first: reading 100,000 rows takes a second or more.
byId("status").textContent = "Reading the rows …";
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
