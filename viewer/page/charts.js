'use strict';

// Charts over steps. Those of a group share the range of steps and the line under the pointer.
class ChartGroup {
  constructor() {
    this.charts = [];
    this.range = null;  // [from, to], or null: all
    this.cursor = null;
    this.phases = [];
    this.onRange = () => {};
  }

  get extent() {
    const lasts = this.charts.map((chart) => chart.lastX).filter(format.known);
    return [0, lasts.length > 0 ? Math.max(...lasts, 1) : 1];
  }

  setRange(range) {
    const [least, most] = this.extent;
    const clamped = range && [Math.max(least, Math.min(...range)), Math.min(most, Math.max(...range))];
    this.range = clamped && clamped[1] > clamped[0] ? clamped : null;
    this.charts.forEach((chart) => chart.draw());
    this.onRange(this.range ?? this.extent);
  }

  setCursor(x) {
    this.cursor = x;
    this.charts.forEach((chart) => chart.drawOverlay());
  }

  destroy() {
    this.charts.forEach((chart) => chart.destroy());
    this.charts = [];
  }
}

// One chart. A curve is {label, color, x: [], y: [], low, high (null, or what its points range over), points: whether they are
// marked, dash, width, faint, right: whether it belongs to the axis on the right}.
class StepChart {
  constructor(group, {
    title,
    unit,
    show,
    tick = show,
    rightUnit = null,
    showRight = format.significant,
    tickRight = showRight,
    least = null,
    isShare = false
  }) {
    Object.assign(this, {group, title, unit, show, tick, rightUnit, showRight, tickRight, least, isShare});
    Object.assign(this, {xTitle: 'step', logarithmic: false, curves: [], hidden: new Set()});
    this.canvas = element('canvas', {role: 'img', 'aria-label': title});
    this.overlay =
        element('canvas', {class: 'overlay', tabindex: '0', 'aria-label': `${title}: arrow keys move along the steps`});
    this.legend = element('div', {class: 'legend', role: 'group', 'aria-label': `curves of ${title}`});
    this.readout = element('output', {class: 'readout', 'aria-live': 'off'});
    this.plot = element('div', {class: 'plot'}, this.canvas, this.overlay);
    this.element = element(
        'figure', {class: 'chart'}, element('figcaption', {}, element('h3', {}, title), element('span', {class: 'unit'}, unit)),
        this.legend, this.plot, this.readout);
    this.listen();
    group.charts.push(this);
  }

  get lastX() {
    return Math.max(...this.curves.map((curve) => curve.x[curve.x.length - 1] ?? 0), 0);
  }

  set(curves) {
    this.curves = curves.filter((curve) => curve.y.some((value) => value !== null));
    this.drawLegend();
    this.canvas.setAttribute('aria-label', this.inWords());
    this.draw();
  }

  inWords() {
    const words = this.curves.filter((curve) => !curve.faint).map((curve) => {
      const values = curve.y.filter((value) => value !== null);
      const show = curve.right ? this.showRight : this.show;
      return `${curve.label} from ${show(values[0])} to ${show(values[values.length - 1])}`;
    });
    return `${this.title} over ${this.xTitle}: ${words.join('; ') || 'nothing yet'}`;
  }

  drawLegend() {
    const labels = [...new Set(this.curves.filter((curve) => !curve.faint).map((curve) => curve.label))];
    replaceChildren(this.legend, labels.map((label) => {
      const curve = this.curves.find((each) => each.label === label && !each.faint);
      const key = element('canvas', {width: 44, height: 20, 'aria-hidden': 'true'});
      this.drawKey(key, curve);
      const button = element(
          'button', {
            type: 'button',
            'aria-pressed': String(!this.hidden.has(label)),
            on: {
              click: () => {
                this.hidden.has(label) ? this.hidden.delete(label) : this.hidden.add(label);
                button.setAttribute('aria-pressed', String(!this.hidden.has(label)));
                this.draw();
              }
            }
          },
          key, label);
      return button;
    }));
  }

  drawKey(canvas, curve) {
    const context = canvas.getContext('2d');
    context.strokeStyle = context.fillStyle = curve.color;
    context.lineWidth = 4;
    context.setLineDash((curve.dash ?? []).map((length) => 2 * length));
    context.beginPath();
    context.moveTo(2, 10);
    context.lineTo(42, 10);
    context.stroke();
    if (!curve.points) return;
    context.beginPath();
    context.arc(22, 10, 7, 0, 2 * Math.PI);
    context.fill();
  }

  dataSets() {
    const isLog = this.logarithmic;
    const points = (curve, values) => curve.x.map((x, i) => ({x, y: format.known(values[i]) ? drawable(values[i]) : null}))
                                          .filter(({y}) => y !== null && (!isLog || y > 0));
    return this.curves.filter((curve) => !this.hidden.has(curve.label)).flatMap((curve) => {
      const yAxisID = curve.right ? 'right' : 'y';
      const plain = {yAxisID, pointRadius: 0, borderWidth: 0, borderColor: 'transparent'};
      const color = curve.faint ? palette.withAlpha(curve.color, 0.3) : curve.color;
      const data = points(curve, curve.y);
      const sets = [{
        data,
        yAxisID,
        borderColor: color,
        backgroundColor: color,
        borderDash: curve.dash ?? [],
        borderWidth: curve.width ?? 1.75,
        // A single value has no line to be seen by.
        pointRadius: curve.points && data.length <= 40 ? 3 :
            data.length === 1                          ? 3 :
                                                         0,
      }];
      if (curve.low && curve.high) {
        sets.push({...plain, data: points(curve, curve.high)});
        sets.push(
            {...plain, data: points(curve, curve.low), fill: '-1', backgroundColor: palette.withAlpha(curve.color, 0.16)});
      }
      return sets;
    });
  }

  scales(sets) {
    const ink = palette.read('--muted'), line = palette.read('--grid');
    const [from, to] = this.group.range ?? this.group.extent;
    const ticks = (callback) => ({color: ink, maxRotation: 0, font: {size: 11}, callback});
    const scales = {
      x: {
        type: 'linear',
        min: from,
        max: to,
        grid: {color: line, borderColor: line},
        ticks: {
          ...ticks((x) => format.metric(x)),
          maxTicksLimit: 7,
          includeBounds: false,
          precision: this.xTitle === 'step' ? 0 : undefined
        },
        title: {display: true, text: this.xTitle, color: ink, font: {size: 11}}
      },
      y: {
        type: this.logarithmic ? 'logarithmic' : 'linear',
        grid: {color: line, borderColor: line},
        ticks: {...ticks((y) => this.tick(y)), maxTicksLimit: 7}
      },
    };
    if (!this.logarithmic && this.least !== null) scales.y.min = this.least;
    if (this.isShare) {
      scales.y.afterDataLimits = (scale) => {
        scale.min = Math.max(scale.min, 0);
        scale.max = Math.min(scale.max, 1);
      };
    }
    if (sets.some((set) => set.yAxisID === 'right')) {
      scales.right = {
        type: 'linear',
        position: 'right',
        suggestedMin: 0,
        grid: {display: false, borderColor: line},
        ticks: {...ticks((y) => this.tickRight(y)), maxTicksLimit: 7},
        title: {display: true, text: this.rightUnit, color: ink, font: {size: 11}}
      };
    }
    return scales;
  }

  draw() {
    const sets = this.dataSets();
    const options = {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      parsing: false,
      normalized: true,
      events: [],
      resizeDelay: 50,
      onResize: () => requestAnimationFrame(() => this.drawOverlay()),
      elements: {line: {tension: 0}},
      plugins: {legend: {display: false}, tooltip: {enabled: false}},
      scales: this.scales(sets),
    };
    const chosen = this.logarithmic ? 'logarithmic' : 'linear';
    if (this.chart && this.kind !== chosen) this.destroy();
    this.kind = chosen;
    if (this.chart) {
      this.chart.data = {datasets: sets};
      this.chart.options = options;
      this.chart.update('none');
    } else {
      this.chart = new Chart(this.canvas, {type: 'line', data: {datasets: sets}, options, plugins: [phaseLines(this.group)]});
    }
    this.drawOverlay();
  }

  destroy() {
    this.chart?.destroy();
    this.chart = null;
  }

  // The line under the pointer, and the range that is being drawn.
  drawOverlay() {
    if (!this.chart) return;
    const {width, height, chartArea: area, scales: {x}} = this.chart;
    const scale = window.devicePixelRatio || 1;
    this.overlay.width = Math.round(width * scale);
    this.overlay.height = Math.round(height * scale);
    const context = this.overlay.getContext('2d');
    context.scale(scale, scale);
    if (this.dragged && area) {
      context.fillStyle = palette.withAlpha(palette.read('--curve-0'), 0.18);
      context.fillRect(this.dragged[0], area.top, this.dragged[1] - this.dragged[0], area.bottom - area.top);
    }
    const {cursor} = this.group;
    this.tell(cursor);
    if (cursor === null || !area || cursor < x.min || cursor > x.max) return;
    const at = x.getPixelForValue(cursor);
    context.strokeStyle = palette.read('--muted');
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(at, area.top);
    context.lineTo(at, area.bottom);
    context.stroke();
  }

  // What the curves are at a step.
  tell(step) {
    if (step === null) {
      replaceChildren(this.readout);
      return;
    }
    const said = this.curves.filter((curve) => !curve.faint && !this.hidden.has(curve.label)).map((curve) => {
      const i = nearestIndex(curve.x, step);
      if (i < 0 || !format.known(curve.y[i])) return null;
      const show = curve.right ? this.showRight : this.show;
      const range =
          curve.low && curve.high && format.known(curve.low[i]) ? ` (${show(curve.low[i])} to ${show(curve.high[i])})` : '';
      const swatch = element('span', {class: 'swatch'});
      swatch.style.backgroundColor = curve.color;
      return element('span', {}, swatch, `${curve.label} ${show(curve.y[i])}${range}`);
    });
    const where = this.xTitle === 'step' ? `step ${format.whole(step)}` : `${this.xTitle} ${format.significant(step)}`;
    replaceChildren(this.readout, element('span', {class: 'where'}, where), said);
  }

  listen() {
    const place = (event) => event.clientX - this.overlay.getBoundingClientRect().left;
    const value = (pixel) => {
      const {x} = this.chart.scales;
      return Math.min(Math.max(x.getValueForPixel(pixel), x.min), x.max);
    };
    this.overlay.addEventListener('pointermove', (event) => {
      if (!this.chart) return;
      if (this.dragged) this.dragged[1] = place(event);
      this.group.setCursor(value(place(event)));
    });
    this.overlay.addEventListener('pointerleave', () => {
      if (!this.dragged) this.group.setCursor(null);
    });
    this.overlay.addEventListener('pointerdown', (event) => {
      if (event.pointerType === 'touch' || event.button !== 0) return;  // a finger scrolls
      this.overlay.setPointerCapture(event.pointerId);
      this.dragged = [place(event), place(event)];
    });
    this.overlay.addEventListener('pointerup', () => {
      if (!this.dragged) return;
      const [from, to] = this.dragged;
      this.dragged = null;
      if (Math.abs(to - from) > 5) this.group.setRange([value(from), value(to)]);
    });
    this.overlay.addEventListener('dblclick', () => this.group.setRange(null));
    this.overlay.addEventListener('keydown', (event) => this.key(event));
    this.overlay.addEventListener('blur', () => this.group.setCursor(null));
  }

  key(event) {
    const {x} = this.chart.scales;
    const stride = (x.max - x.min) * (event.shiftKey ? 0.1 : 0.01);
    const from = this.group.cursor ?? x.min;
    const moves = {ArrowLeft: from - stride, ArrowRight: from + stride, Home: x.min, End: x.max};
    if (event.key === 'Escape') this.group.setCursor(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.readout.setAttribute('aria-live', 'polite');
    this.group.setCursor(Math.min(Math.max(moves[event.key], x.min), x.max));
  }
}

// Where a phase begins: a line, and its name where there is room. Every second phase lies on a shade.
function phaseLines(group) {
  const visible = ({chartArea: area, scales: {x}}) => {
    const {phases} = group;
    if (phases.length < 2) return [];
    return phases
        .map((phase, i) => {
          const end = i + 1 < phases.length ? phases[i + 1].from : Infinity;
          const left = Math.max(area.left, x.getPixelForValue(Math.max(phase.from, x.min)));
          const right = end === Infinity ? area.right : Math.min(area.right, x.getPixelForValue(end));
          return {...phase, i, left, right, begins: i > 0 && phase.from >= x.min};
        })
        .filter((phase) => phase.right > phase.left && phase.from <= x.max);
  };
  return {
    id: 'phases',
    beforeDatasetsDraw(chart) {
      const {ctx: context, chartArea: area} = chart;
      context.save();
      for (const {i, left, right, begins} of visible(chart)) {
        context.fillStyle = palette.read('--shade');
        if (i % 2 === 1) context.fillRect(left, area.top, right - left, area.bottom - area.top);
        context.fillStyle = palette.read('--phase');
        if (begins) context.fillRect(left, area.top, 1, area.bottom - area.top);
      }
      context.restore();
    },
    // Over the curves, on a ground of their own.
    afterDatasetsDraw(chart) {
      const {ctx: context, chartArea: area} = chart;
      context.save();
      context.font = `10px ${getComputedStyle(document.body).fontFamily}`;
      for (const {i, left, right, label} of visible(chart)) {
        const text = i > 0 && label ? fitted(context, label, right - left - 8) : '';
        if (!text) continue;
        context.fillStyle = palette.withAlpha(palette.read('--surface'), 0.85);
        context.fillRect(left + 2, area.top + 1, context.measureText(text).width + 4, 13);
        context.fillStyle = palette.read('--muted');
        context.fillText(text, left + 4, area.top + 11);
      }
      context.restore();
    },
  };
}

// As much of a text as there is room for; nothing rather than a few letters.
function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 5 && context.measureText(text.slice(0, length) + '…').width > room) --length;
  return length > 5 ? text.slice(0, length) + '…' : '';
}

function nearestIndex(sorted, value) {
  let low = 0, high = sorted.length - 1;
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    sorted[middle] <= value ? low = middle : high = middle;
  }
  return Math.abs(sorted[high] - value) < Math.abs(value - sorted[low]) ? high : low;
}

// The greatest of any number of values, at least 0; Math.max takes only as many as fit on the stack.
function greatestOf(values) {
  return values.reduce((most, value) => value !== null && value > most ? value : most, 0);
}

// A value as axes can have it. For ranges beside these Chart.js looks for digits that no number has, and never ends.
function drawable(value) {
  const size = Math.abs(value);
  return size < 1e-280 ? 0 : Math.sign(value) * Math.min(size, 1e280);
}

// An exponential moving average that begins without a bias; gaps stay gaps.
function smoothed(values, weight) {
  if (weight <= 0) return values;
  let sum = 0, total = 0;
  return values.map((value) => {
    if (!format.known(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}
