// The table of rows: those that are selected, in pages, sorted, and as CSV.

const PAGE = 25;
const SHORT = 600; // characters of a text that are shown at first
const SHORT_CELL = 20; // characters of a cell that is not broken

class Rows {
  constructor(data, table) {
    this.data = data;
    this.table = table;
    this.page = 0;
    this.key = null;
    this.isDown = false;
    this.shown = [];
    byId("previous").addEventListener("click", () => this.turn(-1));
    byId("next").addEventListener("click", () => this.turn(1));
    byId("download").addEventListener("click", () => this.download());
    byId("copy").addEventListener("click", () => this.copy());
  }

  /** The columns of the table, each with the value of a row. */
  get columns() {
    const { data } = this;
    const question = data.questions[this.question];
    return [
      { name: "id", value: (i) => data.ids[i] },
      { name: "cluster", kind: "cluster", value: (i) => question.clusters[question.groups[i]]?.label ?? "", order: (i) => question.groups[i] },
      ...(question.answers ? [{ name: "answer", value: (i) => question.answers[i] }] : []),
      ...data.columns.map((column) => ({
        name: column.name,
        value: (i) => column.values[column.rows[i]] ?? "",
        order: column.ramp ? (i) => column.ramp[column.rows[i]] ?? 2 : undefined,
      })),
      ...(data.texts ? [{ name: "text", kind: "text", value: (i) => data.texts[i] }] : []),
    ];
  }

  show(question, lit, words) {
    Object.assign(this, { question, lit, words, page: 0 });
    this.sort();
  }

  sort() {
    this.shown = [];
    this.lit.forEach((isLit, i) => { if (isLit) this.shown.push(i); });
    const column = this.columns.find(({ name }) => name === this.key);
    if (column) {
      const order = column.order ?? column.value;
      const compare = new Intl.Collator(undefined, { numeric: true }).compare;
      const values = new Map(this.shown.map((i) => [i, order(i)]));
      this.shown.sort((a, b) => {
        const [one, other] = [values.get(a), values.get(b)];
        const sign = typeof one === "number" ? one - other : compare(one, other);
        return (this.isDown ? -sign : sign) || a - b;
      });
    }
    this.draw();
  }

  turn(by) {
    this.page += by;
    this.draw();
  }

  draw() {
    const columns = this.columns;
    this.table.tHead.rows[0].replaceChildren(...columns.map((column) => {
      const button = make("button", { type: "button", textContent: column.name });
      button.addEventListener("click", () => {
        this.isDown = this.key === column.name && !this.isDown;
        this.key = column.name;
        this.page = 0;
        this.sort();
        [...this.table.tHead.querySelectorAll("button")].find((b) => b.textContent === column.name).focus();
      });
      const head = make("th", { scope: "col" }, button);
      if (this.key === column.name) head.ariaSort = this.isDown ? "descending" : "ascending";
      return head;
    }));
    const rows = this.shown.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.table.tBodies[0].replaceChildren(...rows.map((i) => make("tr", {}, ...columns.map((c) => this.cell(c, i)))));
    const last = Math.max(1, Math.ceil(this.shown.length / PAGE));
    byId("page").textContent = `Page ${count(this.page + 1)} of ${count(last)}`;
    byId("previous").disabled = this.page === 0;
    byId("next").disabled = this.page + 1 >= last;
    byId("download").disabled = byId("copy").disabled = !this.shown.length;
  }

  cell(column, i) {
    const text = column.value(i);
    const kind = ["text", "cluster"].includes(column.kind) ? column.kind : text.length <= SHORT_CELL ? "short" : "";
    const cell = make("td", { className: kind, dir: "auto" });
    if (column.kind === "cluster") {
      const question = this.data.questions[this.question];
      const place = question.groups[i];
      cell.append(swatch(question.clusters[place], place), make("span", { textContent: text || "(no text)" }));
      return cell;
    }
    if (column.kind !== "text" || text.length <= SHORT) {
      cell.append(...(column.kind === "text" ? this.marked(text) : [text]));
      return cell;
    }
    const more = make("button", { type: "button", className: "longer", textContent: `Show all ${count(text.length)} characters` });
    more.addEventListener("click", () => cell.replaceChildren(...this.marked(text)));
    cell.append(...this.marked(text.slice(0, SHORT) + "…"), more);
    return cell;
  }

  /** The text, with the words of the search marked. */
  marked(text) {
    if (!this.words.length || text.length > 20000) return [text];
    const parts = [];
    let from = 0;
    for (const { 0: word, index } of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
      if (!this.words.some((pattern) => pattern.test(fold(word)))) continue;
      parts.push(text.slice(from, index), make("mark", { textContent: word }));
      from = index + word.length;
    }
    return [...parts, text.slice(from)];
  }

  csv() {
    const columns = this.columns;
    const lines = [columns.map(({ name }) => csvCell(name)), ...this.shown.map((i) => columns.map((c) => csvCell(c.value(i))))];
    return lines.map((cells) => cells.join(",")).join("\r\n") + "\r\n";
  }

  download() {
    // The mark at the start tells a spreadsheet that the file is UTF-8.
    const file = new Blob(["\ufeff", this.csv()], { type: "text/csv;charset=utf-8" });
    const link = make("a", { href: URL.createObjectURL(file), download: "rows.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async copy() {
    const text = this.csv();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    byId("copy").textContent = "Copied";
    setTimeout(() => { byId("copy").textContent = "Copy as CSV"; }, 2000);
  }
}
