// The names of the clusters on the map, each where most of its dots are, none over another.

const CELLS = 16;
const LONGEST = 30;

/** Where most rows of each cluster are: the mean of those in the fullest neighborhood of a coarse grid. */
function labelAnchors(map) {
  const [[left, right], [low, high]] = map.extent;
  const cell = (value, start, end) => Math.min(CELLS - 1, Math.floor(((value - start) / (end - start || 1)) * CELLS));
  const grids = map.clusters.map(() => new Map());
  for (const i of map.known) {
    const key = cell(map.x[i], left, right) * CELLS + cell(map.y[i], low, high);
    const grid = grids[map.groups[i]];
    if (!grid) continue;
    if (!grid.has(key)) grid.set(key, { n: 0, x: 0, y: 0 });
    const sums = grid.get(key);
    sums.n += 1;
    sums.x += map.x[i];
    sums.y += map.y[i];
  }
  return grids.map((grid) => {
    let best = { n: 0 };
    for (const key of grid.keys()) {
      const around = { n: 0, x: 0, y: 0 };
      for (const dx of [-1, 0, 1]) {
        for (const dy of [-1, 0, 1]) {
          const sums = (key % CELLS) + dy < 0 || (key % CELLS) + dy >= CELLS ? null : grid.get(key + dx * CELLS + dy);
          for (const name in sums) around[name] += sums[name];
        }
      }
      if (around.n > best.n) best = around;
    }
    return best.n ? [best.x / best.n, best.y / best.n] : null;
  });
}

/** Draw the names, the largest clusters first; return their boxes. */
function drawLabels(context, map) {
  const size = map.width < 500 ? 12 : 13;
  context.font = `600 ${size}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineJoin = "round";
  const boxes = [];
  const steps = [0, -22, 22, -40, 40, -58, 58];
  map.clusters.forEach((cluster, place) => {
    if (cluster.outside || !map.anchors[place]) return;
    const characters = [...cluster.label];
    const name = characters.length > LONGEST ? characters.slice(0, LONGEST - 1).join("") + "…" : cluster.label;
    const width = context.measureText(name).width;
    const [x, y] = map.toScreen(...map.anchors[place]);
    if (x < 0 || y < 0 || x > map.width || y > map.height) return;
    for (const [dx, dy] of steps.flatMap((up) => [0, -width / 2, width / 2].map((aside) => [aside, up]))) {
      const left = Math.min(map.width - width - 6, Math.max(6, x - width / 2 + dx));
      const box = { place, left: left - 3, right: left + width + 3, top: y + dy - size * 0.75, bottom: y + dy + size * 0.75 };
      const isFree = boxes.every((b) => box.right < b.left || box.left > b.right || box.bottom < b.top || box.top > b.bottom);
      if (!isFree || box.top < 2 || box.bottom > map.height - 2) continue;
      boxes.push(box);
      const isFaded = map.picked !== null && map.picked !== undefined && map.picked !== place;
      context.globalAlpha = isFaded ? 0.45 : 1;
      context.strokeStyle = map.ground;
      context.lineWidth = 4;
      context.strokeText(name, left, y + dy);
      context.fillStyle = map.ink;
      context.fillText(name, left, y + dy);
      context.globalAlpha = 1;
      return;
    }
  });
  return boxes;
}
