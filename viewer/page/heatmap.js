'use strict';

// Many numbers as colours: rows × columns on a canvas. The pointer and the arrow keys tell each. `rows` and `columns` are
// labels, `value(row, column)` a number or null, `tell(row, column)` its words; `chosen` tells which rows are marked.
class Heatmap {
  constructor({
    label,
    rows,
    columns,
    value,
    tell,
    most,
    power = 1,
    rowHeight = 14,
    columnTitle = '',
    chosen = () => false,
    onRow = null
  }) {
    Object.assign(this, {label, rows, columns, value, tell, most, power, rowHeight, columnTitle, chosen, onRow, at: null});
    this.picture = element('canvas');
    this.canvas = element('canvas', {
      class: 'heatmap',
      tabindex: '0',
      role: 'img',
      'aria-label': `${label}: ${rows.length} rows, ${columns.length} columns; arrow keys tell each value`
    });
    this.readout = element('output', {class: 'readout', 'aria-live': 'polite'});
    this.frame = element('div', {class: 'heatmap-frame'}, this.canvas);
    this.element = element('div', {class: 'heatmap-block'}, this.frame, this.readout);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.frame);
    this.listen();
  }

  destroy() {
    this.observer.disconnect();
  }

  get plotWidth() {
    return Math.max(this.width - this.gutter - 2, 1);
  }

  share(value) {
    return this.most > 0 ? Math.min(value / this.most, 1) ** this.power : 0;
  }

  draw() {
    this.width = this.frame.clientWidth;
    if (this.width < 50) return;
    const height = this.rows.length * this.rowHeight + 34;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = this.picture.width = Math.round(this.width * scale);
    this.canvas.height = this.picture.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const context = this.picture.getContext('2d');
    context.scale(scale, scale);
    const family = getComputedStyle(document.body).fontFamily;
    const size = Math.max(5, Math.min(11, this.rowHeight - 2));
    context.font = `${size}px ${family}`;
    const widths = this.rows.map((row) => context.measureText(`● ${row}`).width);
    this.gutter = Math.min(greatestOf(widths) + 10, this.width * 0.42);
    this.drawLabels(context, size);
    this.drawCells(context);
    this.drawColumns(context);
    this.show();
  }

  // What was drawn, and the place that is pointed at: that moves often.
  show() {
    if (!(this.width >= 50)) return;
    const context = this.canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.picture, 0, 0);
    const scale = window.devicePixelRatio || 1;
    context.scale(scale, scale);
    this.drawPlace(context);
  }

  drawLabels(context, size) {
    const ink = palette.read('--ink'), muted = palette.read('--muted');
    const every = Math.ceil(Math.min(size, 11) / this.rowHeight);
    context.textBaseline = 'middle';
    for (let row = 0; row < this.rows.length; row += every) {
      const isChosen = this.chosen(row);
      context.fillStyle = isChosen ? ink : muted;
      const text = fitted(context, (isChosen ? '● ' : '') + this.rows[row], this.gutter - 6);
      context.fillText(text, 0, (row + 0.5) * this.rowHeight);
    }
  }

  // A pixel for each cell, and that picture as large as it has to be: a million cells are drawn at once.
  drawCells(context) {
    const rows = this.rows.length;
    const bins = Math.max(1, Math.min(this.columns.length, Math.floor(this.plotWidth)));
    const cells = element('canvas', {width: bins, height: Math.max(rows, 1)});
    const image = new ImageData(cells.width, cells.height);
    const colors = palette.scale(), none = palette.rgb(palette.read('--none'));
    const shades = Array.from({length: 256}, (_, i) => colors(i / 255).rgb);
    for (let row = 0; row < rows; ++row) {
      for (let bin = 0; bin < bins; ++bin) {
        const value = this.binned(row, bin, bins);
        const color = value === null ? none : shades[Math.round(255 * Math.max(this.share(value), 0))];
        image.data.set(color, 4 * (row * bins + bin));
        image.data[4 * (row * bins + bin) + 3] = 255;
      }
    }
    cells.getContext('2d').putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    const {gutter, plotWidth, rowHeight} = this;
    context.drawImage(cells, gutter, 0, plotWidth, Math.max(rows, 1) * rowHeight);
    const wide = plotWidth / bins;
    for (let row = 1; row <= rows && rowHeight > 4; ++row) context.clearRect(gutter, row * rowHeight - 1, plotWidth, 1);
    for (let bin = 1; bin <= bins && wide > 4; ++bin) context.clearRect(gutter + bin * wide - 1, 0, 1, rows * rowHeight);
  }

  // Where there are more columns than pixels the greatest is shown: none that is remarkable is lost.
  binned(row, bin, bins) {
    const from = Math.floor(bin * this.columns.length / bins),
          to = Math.max(from + 1, Math.floor((bin + 1) * this.columns.length / bins));
    let most = null;
    for (let column = from; column < to; ++column) {
      const value = this.value(row, column);
      if (format.known(value) && (most === null || value > most)) most = value;
    }
    return most;
  }

  drawColumns(context) {
    const y = this.rows.length * this.rowHeight + 10;
    context.fillStyle = palette.read('--muted');
    const count = this.columns.length;
    const labels = Math.max(2, Math.min(count, Math.floor(this.plotWidth / 70)));
    let taken = -Infinity;
    for (let i = 0; i < labels; ++i) {
      const column = labels === 1 ? 0 : Math.round(i * (count - 1) / (labels - 1));
      const text = this.columns[column] ?? '';
      const width = context.measureText(text).width;
      const middle = this.gutter + (column + 0.5) * this.plotWidth / count;
      const left = Math.min(Math.max(middle - width / 2, this.gutter), this.width - width);
      if (left < taken + 6) continue;
      context.fillText(text, left, y);
      taken = left + width;
    }
    const title = this.columnTitle;
    context.fillText(title, this.gutter + (this.plotWidth - context.measureText(title).width) / 2, y + 14);
  }

  drawPlace(context) {
    if (!this.at) return;
    const [row, column] = this.at;
    const wide = this.plotWidth / this.columns.length;
    context.strokeStyle = palette.read('--ink');
    context.lineWidth = 1.5;
    context.strokeRect(this.gutter + column * wide, row * this.rowHeight, Math.max(wide, 2), this.rowHeight);
  }

  move(at) {
    const same = at && this.at && at[0] === this.at[0] && at[1] === this.at[1];
    if (same) return;
    this.at = at;
    this.readout.textContent = at ? this.tell(...at) : '';
    this.show();
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / this.rowHeight);
    const column = Math.floor((event.clientX - box.left - this.gutter) / this.plotWidth * this.columns.length);
    if (row < 0 || row >= this.rows.length) return null;
    return [row, Math.min(Math.max(column, 0), this.columns.length - 1)];
  }

  listen() {
    this.canvas.addEventListener('pointermove', (event) => this.move(this.placeOf(event)));
    this.canvas.addEventListener('pointerleave', () => this.move(null));
    this.canvas.addEventListener('click', (event) => {
      const place = this.placeOf(event);
      if (place && this.onRow) this.onRow(place[0]);
    });
    this.canvas.addEventListener('keydown', (event) => {
      const [row, column] = this.at ?? [0, 0];
      const moves = {
        ArrowUp: [row - 1, column],
        ArrowDown: [row + 1, column],
        ArrowLeft: [row, column - 1],
        ArrowRight: [row, column + 1]
      };
      if (event.key === 'Escape') this.move(null);
      if ((event.key === 'Enter' || event.key === ' ') && this.at && this.onRow) {
        event.preventDefault();
        this.onRow(row);
      }
      if (!(event.key in moves)) return;
      event.preventDefault();
      const [to, along] = moves[event.key];
      this.move([Math.min(Math.max(to, 0), this.rows.length - 1), Math.min(Math.max(along, 0), this.columns.length - 1)]);
    });
  }
}

// What the colours mean.
function rampLegend(most, power, show) {
  const colors = palette.scale();
  const steps = 6;
  const parts = Array.from({length: steps}, (_, i) => {
    const share = i / (steps - 1);
    const cell = element('span', {}, show(most * share ** (1 / power)));
    const color = colors(share);
    cell.style.backgroundColor = color.css;
    cell.style.color = color.isDark ? '#ffffff' : '#111111';
    return cell;
  });
  return element('div', {class: 'ramp', 'aria-hidden': 'true'}, ...parts);
}
