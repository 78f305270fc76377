// The map: dots on one canvas, and what follows the pointer on another.

class RowMap {
  constructor(box) {
    this.box = box;
    [this.points, this.over] = box.querySelectorAll("canvas");
    this.zoom = 1;
    this.center = [5000, 5000];
    this.mode = "lasso";
    this.labels = [];
    this.onPick = this.onLasso = this.onHover = () => {};
    new ResizeObserver(() => this.resize()).observe(box);
    this.listen();
  }

  /** Show places; `groups` and `clusters` give the names, `paint` the colors: a bucket for each row. */
  load(x, y, groups, clusters) {
    Object.assign(this, { x, y, groups, clusters });
    const known = [];
    for (let i = 0; i < x.length; i++) if (x[i] >= 0) known.push(i);
    this.known = Int32Array.from(known);
    this.extent = [x, y].map((values) => {
      let [low, high] = known.length ? [Infinity, -Infinity] : [0, 1];
      for (const i of known) {
        if (values[i] < low) low = values[i];
        if (values[i] > high) high = values[i];
      }
      return [low, high];
    });
    this.anchors = labelAnchors(this);
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.center = this.extent.map(([low, high]) => (low + high) / 2);
    this.draw();
  }

  paint(buckets, styles) {
    Object.assign(this, { buckets, styles });
    this.sort();
  }

  /** Only rows whose `lit` is 1 are drawn in full color. */
  light(lit) {
    this.lit = lit;
    this.sort();
  }

  sort() {
    if (!this.buckets || !this.lit) return;
    this.layers = this.styles.map(() => [[], []]);
    for (const i of this.known) this.layers[this.buckets[i]][this.lit[i]].push(i);
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.box;
    if (!clientWidth) return;
    const ratio = this.ratio || Math.min(3, window.devicePixelRatio || 1);
    Object.assign(this, { width: clientWidth, height: clientHeight });
    for (const canvas of [this.points, this.over]) {
      canvas.width = Math.round(clientWidth * ratio);
      canvas.height = Math.round(clientHeight * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.draw();
  }

  get scale() {
    const [[left, right], [low, high]] = this.extent;
    const margin = Math.min(44, this.width / 12);
    const room = [(this.width - 2 * margin) / Math.max(1, right - left), (this.height - 2 * margin) / Math.max(1, high - low)];
    return Math.min(...room) * this.zoom;
  }

  toScreen(x, y) {
    const scale = this.scale;
    return [this.width / 2 + (x - this.center[0]) * scale, this.height / 2 - (y - this.center[1]) * scale];
  }

  toData(left, top) {
    const scale = this.scale;
    return [this.center[0] + (left - this.width / 2) / scale, this.center[1] - (top - this.height / 2) / scale];
  }

  get radius() {
    const size = Math.min(5, Math.max(1.1, 9.2 - 1.9 * Math.log10(this.known.length + 10)));
    return size * Math.min(2.2, this.zoom ** 0.35) * (this.width < 500 ? 0.85 : 1);
  }

  draw() {
    if (!this.layers || !this.width) return;
    const context = this.points.getContext("2d");
    context.clearRect(0, 0, this.width, this.height);
    const radius = this.radius;
    // Thousands of small dots are set pixel by pixel, which is many times as fast as drawing them.
    const image = radius < 2 ? context.createImageData(this.points.width, this.points.height) : null;
    const dots = (rows, style, size, alpha) => (
      image ? this.pixels(new Uint32Array(image.data.buffer), rows, style, size, alpha) : this.shapes(context, rows, style, size, alpha)
    );
    const someFaded = this.layers.some(([faded]) => faded.length);
    this.styles.forEach((style, bucket) => dots(this.layers[bucket][0], style, radius * 0.8, 0.2));
    const order = this.styles.map((_, bucket) => bucket).sort((a, b) => Number(this.styles[b].gray || 0) - Number(this.styles[a].gray || 0));
    for (const bucket of order) {
      const style = this.styles[bucket];
      dots(this.layers[bucket][1], style, radius, style.gray ? 0.75 : someFaded ? 1 : 0.88);
    }
    if (image) context.putImageData(image, 0, 0);
    this.labels = drawLabels(context, this);
    this.follow();
  }

  pixels(buffer, rows, style, radius, alpha) {
    const { x, y } = this;
    const ratio = this.points.width / this.width;
    const scale = this.scale * ratio;
    const [width, height] = [this.points.width, this.points.height];
    const [left, top] = [width / 2 - this.center[0] * scale, height / 2 + this.center[1] * scale];
    const [red, green, blue] = channels(mix(this.ground, style.color, alpha));
    const color = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const side = Math.max(2, Math.round(2 * radius * ratio));
    for (let row = 0; row < rows.length; row++) {
      const a = Math.round(left + x[rows[row]] * scale - side / 2);
      const b = Math.round(top - y[rows[row]] * scale - side / 2);
      if (a < 0 || b < 0 || a + side > width || b + side > height) continue;
      for (let line = b * width + a; line < (b + side) * width + a; line += width) {
        for (let pixel = line; pixel < line + side; pixel++) buffer[pixel] = color;
      }
    }
  }

  shapes(context, rows, style, radius, alpha) {
    if (!rows.length) return;
    const { x, y, width, height, center } = this;
    const scale = this.scale;
    const [left, top] = [width / 2 - center[0] * scale, height / 2 + center[1] * scale];
    context.globalAlpha = alpha;
    context.fillStyle = style.color;
    context.beginPath();
    for (let row = 0; row < rows.length; row++) {
      const a = left + x[rows[row]] * scale;
      const b = top - y[rows[row]] * scale;
      if (a > -9 && b > -9 && a < width + 9 && b < height + 9) trace(context, style.shape, a, b, radius);
    }
    context.fill();
    if (radius > 3 && alpha > 0.5) {
      context.strokeStyle = this.ground;
      context.lineWidth = 0.8;
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** The nearest dot within reach, or -1. */
  nearest(left, top, reach = 12) {
    const scale = this.scale;
    const [x, y] = this.toData(left, top);
    let [best, found] = [(reach / scale) ** 2, -1];
    for (const i of this.known) {
      const [dx, dy] = [this.x[i] - x, this.y[i] - y];
      const distance = (dx * dx + dy * dy) * (this.lit[i] ? 1 : 4);
      if (distance < best) [best, found] = [distance, i];
    }
    return found;
  }

  inside(polygon) {
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const chosen = new Uint8Array(this.x.length);
    for (const i of this.known) {
      const [x, y] = [this.x[i], this.y[i]];
      if (x < left || x > right || y < low || y > high) continue;
      for (let j = 0, k = xs.length - 1; j < xs.length; k = j++) {
        if ((ys[j] > y) !== (ys[k] > y) && x < ((xs[k] - xs[j]) * (y - ys[j])) / (ys[k] - ys[j]) + xs[j]) chosen[i] ^= 1;
      }
    }
    return chosen;
  }

  /** Draw what follows the pointer: the lasso, and a ring around the dot below it. */
  follow() {
    const context = this.over.getContext("2d");
    context.clearRect(0, 0, this.width, this.height);
    context.strokeStyle = context.fillStyle = this.ink;
    if (this.path?.length > 1) {
      context.beginPath();
      this.path.forEach((point) => context.lineTo(...this.toScreen(...point)));
      context.closePath();
      context.globalAlpha = 0.08;
      context.fill();
      context.globalAlpha = 1;
      context.setLineDash([5, 4]);
      context.lineWidth = 1.5;
      context.stroke();
      context.setLineDash([]);
    }
    if (this.hovered >= 0) {
      context.beginPath();
      context.arc(...this.toScreen(this.x[this.hovered], this.y[this.hovered]), this.radius + 3.5, 0, 2 * Math.PI);
      context.lineWidth = 2;
      context.stroke();
    }
  }

  zoomBy(factor, left = this.width / 2, top = this.height / 2) {
    const before = this.toData(left, top);
    this.zoom = Math.min(60, Math.max(1, this.zoom * factor));
    const after = this.toData(left, top);
    this.moveBy(before[0] - after[0], before[1] - after[1]);
  }

  moveBy(dx, dy) {
    const steps = [dx, dy];
    this.center = this.center.map((value, axis) => Math.min(this.extent[axis][1], Math.max(this.extent[axis][0], value + steps[axis])));
    if (this.zoom === 1) this.center = this.extent.map(([low, high]) => (low + high) / 2);
    this.draw();
  }

  hover(i, left, top) {
    if (i === this.hovered) return;
    this.hovered = i;
    this.onHover(i, left, top);
    this.follow();
  }

  listen() {
    const fingers = new Map();
    const place = (event) => {
      const edge = this.box.getBoundingClientRect();
      return [event.clientX - edge.left, event.clientY - edge.top];
    };
    let start = null;
    let spread = 0;
    this.box.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, place(event));
      start = place(event);
      this.isWarm = true;
      const isPan = this.mode === "move" || event.shiftKey || event.button > 0;
      this.gesture = fingers.size > 1 ? "pinch" : isPan ? "pan" : "lasso";
      this.path = this.gesture === "lasso" ? [this.toData(...start)] : null;
      if (event.pointerType === "mouse" || this.box.classList.contains("free")) this.box.setPointerCapture(event.pointerId);
      this.hover(-1);
    });
    this.box.addEventListener("pointermove", (event) => {
      const [left, top] = place(event);
      if (!fingers.has(event.pointerId)) {
        const label = this.labels.find((l) => left >= l.left && left <= l.right && top >= l.top && top <= l.bottom);
        const i = label ? -1 : this.nearest(left, top);
        this.box.style.cursor = label || i >= 0 ? "pointer" : this.mode === "move" ? "grab" : "crosshair";
        this.hover(i, left, top);
        return;
      }
      const [oldLeft, oldTop] = fingers.get(event.pointerId);
      fingers.set(event.pointerId, [left, top]);
      if (this.gesture === "pinch" && fingers.size > 1) {
        const [one, other] = [...fingers.values()];
        const now = Math.hypot(one[0] - other[0], one[1] - other[1]);
        if (spread) this.zoomBy(now / spread, (one[0] + other[0]) / 2, (one[1] + other[1]) / 2);
        spread = now;
      } else if (this.gesture === "pan") {
        const scale = this.scale;
        this.moveBy((oldLeft - left) / scale, (top - oldTop) / scale);
      } else if (this.gesture === "lasso") {
        this.path.push(this.toData(left, top));
        this.follow();
      }
    });
    const finish = (event) => {
      if (!fingers.delete(event.pointerId)) return;
      spread = 0;
      const [left, top] = place(event);
      const isClick = Math.hypot(left - start[0], top - start[1]) < 5 && !(this.path?.length > 12);
      const path = this.path;
      this.path = null;
      this.follow();
      if (event.type === "pointercancel" || this.gesture === "pinch" || event.button > 0) return;
      if (isClick) {
        const label = this.labels.find((l) => left >= l.left && left <= l.right && top >= l.top && top <= l.bottom);
        const i = label ? -1 : this.nearest(left, top, event.pointerType === "mouse" ? 12 : 24);
        if (i >= 0 && event.pointerType !== "mouse") this.hover(i, left, top);
        this.onPick(label ? label.place : i >= 0 ? this.groups[i] : null);
      } else if (path?.length > 3) {
        this.onLasso(this.inside(path));
      }
    };
    this.box.addEventListener("pointerup", finish);
    this.box.addEventListener("pointercancel", finish);
    this.box.addEventListener("pointerleave", () => { this.hover(-1); this.isWarm = false; });
    this.box.addEventListener("contextmenu", (event) => event.preventDefault());
    // The wheel scrolls the page until the map is clicked.
    this.box.addEventListener("wheel", (event) => {
      if (!this.isWarm && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.008 : 0.0018)), ...place(event));
    }, { passive: false });
  }
}

function trace(context, shape, x, y, radius) {
  if (shape === "square") {
    context.rect(x - radius * 0.88, y - radius * 0.88, radius * 1.76, radius * 1.76);
    return;
  }
  if (shape === "circle") {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const corners = shape === "triangle" ? [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]] : [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]];
  corners.forEach(([a, b], i) => context[i ? "lineTo" : "moveTo"](x + a * radius, y + b * radius));
  context.closePath();
}
