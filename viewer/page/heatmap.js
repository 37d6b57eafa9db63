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
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext('2d');
    context.scale(scale, scale);
    const family = getComputedStyle(document.body).fontFamily;
    const size = Math.min(11, this.rowHeight - 2);
    context.font = `${size}px ${family}`;
    const widths = this.rows.map((row) => context.measureText(`● ${row}`).width);
    this.gutter = Math.min(greatestOf(widths) + 10, this.width * 0.42);
    this.drawRows(context);
    this.drawColumns(context);
    this.drawPlace(context);
  }

  drawRows(context) {
    const colors = palette.scale();
    const bins = Math.max(1, Math.min(this.columns.length, Math.floor(this.plotWidth)));
    const wide = this.plotWidth / bins;
    const labelEvery = Math.ceil(11 / this.rowHeight);
    for (let row = 0; row < this.rows.length; ++row) {
      const top = row * this.rowHeight;
      if (row % labelEvery === 0) {
        context.fillStyle = palette.read(this.chosen(row) ? '--ink' : '--muted');
        context.textBaseline = 'middle';
        context.fillText(
            fitted(context, (this.chosen(row) ? '● ' : '') + this.rows[row], this.gutter - 6), 0, top + this.rowHeight / 2);
      }
      for (let bin = 0; bin < bins; ++bin) {
        const value = this.binned(row, bin, bins);
        context.fillStyle = value === null ? palette.read('--none') : colors(this.share(value)).css;
        const left = this.gutter + bin * wide;
        context.fillRect(left, top, wide + (wide > 4 ? -1 : 0.5), this.rowHeight - (this.rowHeight > 4 ? 1 : 0));
      }
    }
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
    this.draw();
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
