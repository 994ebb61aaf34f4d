// The searched cells on the ground, and beneath them, where there are no tiles, a grid in metres.

const PAD = 0.4; // of the map's sides, beyond them: there when it is dragged
const RESULT_STRENGTH = 2; // there are no pictures beneath, but tiles
const UNKNOWN = -(2 ** 31);
const GRID_PX = 90; // at least, between two lines
const METRES_PER_DEG = 111320;

/** A layer of Leaflet; `panorama` knows the cells' colours. */
export function makeCellLayer(L, panorama) {
  const CellLayer = L.Layer.extend({
    onAdd(map) {
      this.canvas = L.DomUtil.create("canvas", "leaflet-layer ground-cells");
      map.getPane("overlayPane").prepend(this.canvas);
      map.on("moveend zoomend resize", this.draw, this);
      this.draw();
    },

    onRemove(map) {
      map.off("moveend zoomend resize", this.draw, this);
      this.canvas.remove();
    },

    /** Take the cells' corners, as `/api/map/cells` has them. */
    setCells({ rows, columns, corners, is_ground: isGround }) {
      const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      this.cells = { rows, columns, corners: new Int32Array(bytes(corners).buffer), isGround: bytes(isGround) };
    },

    setReference(robot, isLocal) {
      const key = JSON.stringify([robot?.latitude_deg.toFixed(5), robot?.longitude_deg.toFixed(5), isLocal]);
      if (key === this.referenceKey) return;
      Object.assign(this, { referenceKey: key, robot });
      this.draw();
    },

    setGrid(isShown) {
      if (isShown === this.isGrid) return;
      this.isGrid = isShown;
      this.draw();
    },

    draw() {
      const map = this._map;
      if (!map) return;
      const size = map.getSize();
      const margin = size.multiplyBy(PAD).round();
      const scale = Math.min(2, devicePixelRatio);
      const { canvas } = this;
      [canvas.width, canvas.height] = [(size.x + 2 * margin.x) * scale, (size.y + 2 * margin.y) * scale];
      canvas.style.width = `${size.x + 2 * margin.x}px`;
      canvas.style.height = `${size.y + 2 * margin.y}px`;
      const origin = map.containerPointToLayerPoint([0, 0]).subtract(margin);
      L.DomUtil.setPosition(canvas, origin);
      const context = canvas.getContext("2d");
      context.scale(scale, scale);
      const at = (latitude, longitude) => map.latLngToLayerPoint([latitude, longitude]).subtract(origin);
      if (this.isGrid) this.drawGrid(context, at, margin, size);
      this.drawCells(context, at);
    },

    drawCells(context, at) {
      const { cells } = this;
      const { coverage } = panorama;
      canvasCount(this.canvas, 0);
      if (!cells || !coverage || cells.rows !== coverage.rows || cells.columns !== coverage.columns || !cells.isGround.length) return;
      const { rows, columns, corners, isGround } = cells;
      const points = new Array((rows + 1) * (columns + 1));
      const pointOf = (corner) => (points[corner] ??= at(corners[2 * corner] / 1e7, corners[2 * corner + 1] / 1e7));
      const strength = panorama.pod.chosen ? 1 : RESULT_STRENGTH;
      let count = 0;
      for (let cell = 0; cell < rows * columns; cell++) {
        if (!isGround[cell]) continue;
        const [red, green, blue, alpha] = panorama.colourOf(cell);
        if (!alpha) continue;
        const corner = Math.floor(cell / columns) * (columns + 1) + (cell % columns);
        const ring = [corner, corner + 1, corner + columns + 2, corner + columns + 1];
        if (ring.some((one) => corners[2 * one] === UNKNOWN)) continue;
        context.fillStyle = `rgba(${red}, ${green}, ${blue}, ${Math.min(1, (alpha * strength) / 255)})`;
        context.beginPath();
        for (const one of ring) context.lineTo(pointOf(one).x, pointOf(one).y);
        context.fill();
        count += 1;
      }
      canvasCount(this.canvas, count);
    },

    /** Lines every 1, 2 or 5 times a power of ten metres, counted from the robot. */
    drawGrid(context, at, margin, size) {
      const map = this._map;
      const middle = this.robot ? L.latLng(this.robot.latitude_deg, this.robot.longitude_deg) : map.getCenter();
      const perLongitude = METRES_PER_DEG * Math.cos((middle.lat * Math.PI) / 180);
      const point = at(middle.lat, middle.lng);
      const perMetre = Math.abs(at(middle.lat, middle.lng + 100 / perLongitude).x - point.x) / 100;
      if (!(perMetre > 0) || perLongitude < 1) return;
      const step = niceStep(GRID_PX / perMetre);
      const style = getComputedStyle(map.getContainer());
      context.strokeStyle = style.getPropertyValue("--line");
      context.fillStyle = style.getPropertyValue("--text");
      context.font = "12px monospace";
      context.lineWidth = 1;
      const [width, height] = [size.x + 2 * margin.x, size.y + 2 * margin.y];
      const pixels = step * perMetre;
      const lines = (start, length, draw) => {
        for (let index = Math.ceil(-start / pixels); start + index * pixels <= length; index++) draw(start + index * pixels, index);
      };
      context.beginPath();
      lines(point.x, width, (x) => { context.moveTo(x, 0); context.lineTo(x, height); });
      lines(point.y, height, (y) => { context.moveTo(0, y); context.lineTo(width, y); });
      context.stroke();
      const label = (index) => (this.robot ? `${told(Math.abs(index) * step)}` : "");
      lines(point.x, width, (x, index) => index && context.fillText(label(index), x + 3, margin.y + 14));
      lines(point.y, height, (y, index) => index && context.fillText(label(index), width - margin.x - 60, y - 4));
      this.canvas.dataset.step = step;
    },
  });
  return new CellLayer();
}

function canvasCount(canvas, count) {
  canvas.dataset.cells = count;
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least);
}

const told = (metres) => (metres >= 1000 ? `${metres / 1000} km` : `${Number(metres.toPrecision(3))} m`);
