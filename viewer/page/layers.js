'use strict';

// Bounds and clip rates of the layers over the run, and the table of layers.
class Layers {
  constructor(run) {
    this.run = run;
    this.operand = 'input';
    this.isUsual = true;  // nobody has chosen another
    this.chosen = null;
    this.filter = '';
    this.group = new ChartGroup();
    this.bounds = new StepChart(
        this.group, {title: 'Bounds', unit: 'largest magnitude of the grid', show: (y) => format.significant(y, 3), least: 0});
    this.clipped = new StepChart(this.group, {
      title: 'Clip rate',
      unit: 'share of the values beyond the grid',
      show: format.rate,
      tick: format.tick,
      least: 0,
      isShare: true
    });
    this.map = element('div');
    this.picker = element('div', {class: 'picker'});
    this.hint = element('div');
    this.charts = element('div', {class: 'charts'}, this.bounds.element, this.clipped.element);
    this.course = element(
        'div', {}, this.controls(), this.map,
        element('details', {class: 'choose'}, element('summary', {}, 'Choose layers'), this.picker), this.charts);
    this.table = element('div');
    this.element = section('layers', 'Layers', this.hint, this.course, this.table);
  }

  get operands() {
    return this.run.layers.operands.filter((each) => each.operand === this.operand);
  }

  // Activations, unless only weights are quantized.
  usualOperand() {
    const has = (operand) =>
        this.run.layers.operands.some((each) => each.operand === operand && this.latest(each, 'bound') !== null);
    const usual = has('weights') && !has('input') ? 'weights' : 'input';
    this.press(usual);
    return usual;
  }

  controls() {
    const operands = choice('operand', [['input', 'activations'], ['weights', 'weights']], this.operand, (operand) => {
      this.operand = operand;
      this.isUsual = false;
      this.chosen = new Set(this.greatest('clipped'));
      this.drawCourse();
    });
    this.press = (operand) => operands.querySelectorAll('button').forEach(
        (button, i) => button.setAttribute('aria-pressed', String(['input', 'weights'][i] === operand)));
    return element(
        'div', {class: 'controls'}, operands,
        checkbox(
            'logarithmic bounds', false,
            (isLog) => {
              this.bounds.logarithmic = isLog;
              this.bounds.draw();
            }),
        element(
            'span', {class: 'range'}, element('span', {}, 'layers in the charts:'),
            ...[['most clipped', 'clipped'], ['largest bounds', 'bound'], ['none', null]].map(
                ([text, by]) =>
                    element('button', {type: 'button', on: {click: () => this.choose(by ? this.greatest(by) : [])}}, text))));
  }

  latest(operand, key) {
    const values = operand[key];
    for (let i = values.length - 1; i >= 0; --i)
      if (values[i] !== null) return values[i];
    return null;
  }

  greatest(key, count = 6) {
    return this.operands.filter((each) => this.latest(each, key) !== null)
        .sort((a, b) => this.latest(b, key) - this.latest(a, key))
        .slice(0, count)
        .map((each) => each.layer);
  }

  choose(layers) {
    this.chosen = new Set(layers);
    this.drawCourse();
  }

  toggle(layer) {
    this.chosen.has(layer) ? this.chosen.delete(layer) : this.chosen.add(layer);
    this.drawCourse();
  }

  update() {
    const {run} = this;
    const course = run.layers.step.length > 0;
    const table = run.layerTable.length > 0;
    const missing =
        [!course && 'layers.csv (bounds and clip rates) has no line', !table && 'setup.json names no layers'].filter(Boolean);
    replaceChildren(
        this.hint,
        missing.length > 0 ?
            notice(
                `Not all is known of the layers: ${missing.join('; ')}. Older runs and those that do not quantize have none.`) :
            null);
    this.course.hidden = !course;
    if (course) {
      const before = this.operand;
      if (this.isUsual) this.operand = this.usualOperand();
      if (this.operand !== before) this.chosen = null;
      this.chosen ??= new Set(this.greatest('clipped'));
      this.group.phases = run.phases.map((phase) => ({from: phase.first_step, label: phase.phase ?? ''}));
      this.drawCourse();
    }
    this.drawTable();
  }

  drawCourse() {
    this.drawMap();
    this.drawPicker();
    this.drawCharts();
  }

  drawMap() {
    const {operands} = this;
    this.heatmap?.destroy();
    const most = greatestOf(operands.map((each) => greatestOf(each.clipped)));
    if (operands.length === 0) {
      replaceChildren(
          this.map, notice(`No ${this.operand === 'input' ? 'activations' : 'weights'} are quantized in this run.`));
      return;
    }
    const {step} = this.run.layers;
    const words = (row, column) => {
      const {layer, bound, clipped} = operands[row];
      return `${layer}, after step ${format.whole(step[column])}: ${format.rate(clipped[column])} clipped, bound ${
          format.significant(bound[column])}`;
    };
    this.heatmap = new Heatmap({
      label: 'Clip rates',
      rows: operands.map((each) => each.layer),
      columns: step.map((each) => format.metric(each)),
      value: (row, column) => operands[row].clipped[column],
      tell: words,
      most,
      power: 0.5,
      // A canvas has an end, and browsers draw nothing at all beyond it.
      rowHeight: operands.length > 24 ? Math.max(2, Math.min(12, Math.floor(12000 / operands.length))) : 16,
      columnTitle: 'evaluation after step',
      chosen: (row) => this.chosen.has(operands[row].layer),
      onRow: (row) => this.toggle(operands[row].layer),
    });
    const {every} = this.run.layers;
    replaceChildren(
        this.map, element('h3', {}, `Clip rates of the ${this.operand === 'input' ? 'activations' : 'weights'}`),
        element(
            'p', {class: 'detail'},
            'Share of the values that lie beyond the grid by more than half a step, layer by layer; a click shows a layer in ' +
                `the charts.${every > 1 ? ` Every ${every}th evaluation is shown.` : ''}`),
        most > 0 ? rampLegend(most, 0.5, format.rate) : element('p', {class: 'detail'}, 'Nothing is clipped.'),
        this.heatmap.element);
    this.heatmap.draw();
  }

  drawPicker() {
    const search = element('input', {
      type: 'search',
      placeholder: 'part of a name',
      'aria-label': 'filter layers',
      value: this.filter,
      on: {
        input: () => {
          this.filter = search.value;
          fill();
        }
      }
    });
    const list = element('div', {class: 'checks'}), more = element('div');
    const most = 200;
    const fill = () => {
      const found = this.operands.filter((each) => each.layer.includes(this.filter));
      replaceChildren(
          list,
          found.slice(0, most).map((each) => checkbox(each.layer, this.chosen.has(each.layer), () => this.toggle(each.layer))));
      replaceChildren(
          more,
          found.length > most ? notice(`The first ${most} of ${format.whole(found.length)}; a part of a name finds others.`) :
                                null);
    };
    fill();
    replaceChildren(this.picker, search, list, more);
  }

  drawCharts() {
    const {step} = this.run.layers;
    const shown = this.operands.filter((each) => this.chosen.has(each.layer));
    const base = (each, i) => ({label: each.layer, color: palette.curve(i), dash: palette.dash(i), x: step, points: true});
    // The range over channels only where it does not hide the others.
    const ranges = shown.length <= 2;
    this.bounds.set(shown.map(
        (each, i) => ({...base(each, i), y: each.bound, low: ranges ? each.low : null, high: ranges ? each.high : null})));
    this.clipped.set(shown.map((each, i) => ({...base(each, i), y: each.clipped})));
    this.charts.hidden = shown.length === 0;
  }

  drawTable() {
    const {run} = this;
    if (run.layerTable.length === 0) {
      replaceChildren(this.table);
      return;
    }
    const all = run.layerTable.reduce((sum, layer) => sum + (layer.multiplications ?? 0), 0);
    const courses = new Map(run.layers.operands.map((each) => [`${each.operand} ${each.layer}`, each]));
    const last = (operand, key) => (row) => {
      const found = courses.get(`${operand} ${row.layer.path}`);
      return found ? this.latest(found, key) : null;
    };
    const number = (title, value, show, hint) => ({title, value, number: true, hint, show: (row) => show(value(row))});
    const rows = run.layerTable.map((layer, i) => ({layer, number: i + 1}));
    replaceChildren(
        this.table,
        sortableTable(
            'Layers, as the run ends',
            [
              {title: '#', number: true, value: (row) => row.number},
              {title: 'layer', value: (row) => row.layer.path},
              {title: 'op', value: (row) => row.layer.op},
              {title: 'weights', value: (row) => format.shape(row.layer.weights), class: 'narrow'},
              {title: 'output', value: (row) => format.shape(row.layer.output), class: 'narrow'},
              number('w bits', (row) => row.layer.weight_bits, (bits) => bits === null ? 'float' : bits, 'bits of the weights'),
              number(
                  'a bits', (row) => row.layer.act_bits, (bits) => bits === null ? 'float' : bits, 'bits of the activations'),
              {
                title: 'arithmetic',
                value: (row) => row.layer.integer === null ? null :
                    row.layer.integer                      ? 'integer' :
                                                             'float',
                show: ({layer}) => this.arithmetic(layer)
              },
              number('multiplications', (row) => row.layer.multiplications, format.metric, 'of one image'),
              {
                title: 'share of work',
                number: true,
                value: (row) => all > 0 ? (row.layer.multiplications ?? 0) / all : null,
                show: (row) => this.work((row.layer.multiplications ?? 0) / all)
              },
              number(
                  'a bound', last('input', 'bound'), (value) => format.significant(value, 3), 'last bound of the activations'),
              number('a clipped', last('input', 'clipped'), format.rate, 'share of the activations beyond the bound'),
              number('w bound', last('weights', 'bound'), (value) => format.significant(value, 3), 'last bound of the weights'),
              number('w clipped', last('weights', 'clipped'), format.rate, 'share of the weights beyond the bound'),
            ],
            rows));
  }

  arithmetic({integer, reason}) {
    if (integer === null) return format.unknown;
    return element(
        'span', {}, badge(integer ? 'integer' : 'float'),
        integer || !reason ? null : element('span', {class: 'reason'}, ` ${reason}`));
  }

  work(share) {
    if (!format.known(share)) return format.unknown;
    const filled = element('span', {class: 'filled'});
    filled.style.width = `${100 * share}%`;
    return element(
        'span', {class: 'work'}, format.share(share), element('span', {class: 'bar', 'aria-hidden': 'true'}, filled));
  }

  destroy() {
    this.heatmap?.destroy();
    this.group.destroy();
  }
}
