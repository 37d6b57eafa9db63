'use strict';

// The curves of one run, or of several over each other.
class Curves {
  constructor(runs) {
    this.runs = runs;
    this.group = new ChartGroup();
    this.smoothing = 0.9;
    this.overTime = false;
    this.loss = new StepChart(this.group, {title: 'Loss', unit: 'cross entropy', show: (y) => format.significant(y, 3)});
    this.accuracy = new StepChart(
        this.group,
        {title: 'Accuracy', unit: 'share of the images', show: (y) => format.share(y), tick: format.tick, isShare: true});
    this.rate = new StepChart(this.group, {title: 'Learning rate', unit: '', show: (y) => format.significant(y, 3), least: 0});
    this.speed = new StepChart(this.group, {
      title: 'Speed',
      unit: 'images/s',
      show: (y) => format.metric(y),
      least: 0,
      rightUnit: 'of the machine\'s peak',
      showRight: (y) => format.share(y),
      tickRight: format.tick
    });
    this.empty = element('div');
    this.charts = element('div', {class: 'charts'}, ...this.group.charts.map((chart) => chart.element));
    this.evaluations = element('div');
    this.element = section('curves', 'Curves', this.empty, this.controls(), this.charts, this.evaluations);
  }

  controls() {
    const slider = element('input', {
      type: 'range',
      min: 0,
      max: 0.99,
      step: 0.01,
      value: this.smoothing,
      'aria-label': 'smoothing of training curves',
      on: {
        input: () => {
          this.smoothing = Number(slider.value);
          shown.textContent = this.smoothing === 0 ? 'off' : this.smoothing.toFixed(2);
          this.update();
        }
      }
    });
    const shown = element('output', {}, this.smoothing.toFixed(2));
    const bound = (index) => element('input', {
      type: 'number',
      min: 0,
      'aria-label': index === 0 ? 'first step shown' : 'last step shown',
      on: {change: () => this.group.setRange([Number(from.value), Number(to.value)])}
    });
    const from = bound(0), to = bound(1);
    this.group.onRange = ([least, most]) => {
      from.value = Math.round(least);
      to.value = Math.round(most);
    };
    return element(
        'div', {class: 'controls'}, element('label', {}, 'smoothing', slider, shown),
        checkbox(
            'logarithmic loss', false,
            (isLog) => {
              this.loss.logarithmic = isLog;
              this.loss.draw();
            }),
        choice(
            'horizontal axis', [[false, 'steps'], [true, 'training time']], false,
            (overTime) => {
              this.overTime = overTime;
              this.group.charts.forEach((chart) => {
                chart.xTitle = overTime ? 'minutes of training' : 'step';
              });
              this.group.range = null;
              this.update();
            }),
        element(
            'span', {class: 'range'}, element('label', {}, 'from', from), element('label', {}, 'to', to),
            element('button', {type: 'button', on: {click: () => this.group.setRange(null)}}, 'all')),
        element('span', {class: 'hint'}, 'Drag over a chart to look closer; double click shows all.'));
  }

  get isEmpty() {
    return this.runs.every((run) => run.training.step.length === 0 && run.evaluations.step.length === 0);
  }

  along(course) {
    return this.overTime ? (course.mean.seconds ?? []).map((seconds) => seconds / 60) : course.step;
  }

  // A curve of training: what was measured, faint, and its moving average.
  training(run, column, label, color, index) {
    const {training} = run;
    const y = training.mean[column] ?? [];
    const x = this.along(training);
    const low = training.low?.[column] ?? null, high = training.high?.[column] ?? null;
    const dash = palette.dash(index);
    if (this.smoothing === 0) return [{label, color, x, y, low, high, dash, width: 1.25}];
    const average = {label, color, x, y: smoothed(y, this.smoothing), dash};
    // Of several runs what was measured would hide each other.
    return this.runs.length > 1 ? [average] : [{label, color, x, y, low, high, faint: true, width: 1}, average];
  }

  evaluation(run, column, label, color, index, dash = palette.dash(index)) {
    return {label, color, x: this.along(run.evaluations), y: run.evaluations.mean[column] ?? [], points: true, dash, width: 2};
  }

  update() {
    const {runs, group} = this;
    const several = runs.length > 1;
    this.charts.hidden = this.isEmpty;
    replaceChildren(this.empty, this.isEmpty ? notice('There is no curve: series.csv is missing or has no line yet.') : null);
    group.phases = several || this.overTime ?
        [] :
        runs[0].phases.map(
            (phase) =>
                ({from: phase.first_step, label: phase.phase ? `${phase.phase}, step ${format.whole(phase.first_step)}` : ''}));
    const all = {loss: [], accuracy: [], rate: [], speed: []};
    runs.forEach((run, i) => this.add(run, several ? i : null, all));
    for (const [name, curves] of Object.entries(all)) this[name].set(curves);
    group.onRange(group.range ?? group.extent);
    this.fillEvaluations();
  }

  add(run, index, all) {
    const alone = index === null;
    const number = index ?? 0;
    const color = (i) => palette.curve(alone ? i : number);
    const label = (text) => alone ? text : `${run.label}: ${text}`;
    all.loss.push(...this.training(run, 'loss', label('training'), color(0), number));
    all.loss.push(this.evaluation(run, 'eval_loss', label('evaluation'), color(1), number));
    all.accuracy.push(...this.training(run, 'accuracy', label('training'), color(0), number));
    all.accuracy.push(this.evaluation(run, 'eval_accuracy', label('evaluation, top-1'), color(1), number));
    if (alone) all.accuracy.push(this.evaluation(run, 'eval_top5', 'evaluation, top-5', color(2), number, [6, 3]));
    all.rate.push({
      label: label('rate'),
      color: color(0),
      x: this.along(run.training),
      y: run.training.mean.learning_rate ?? [],
      dash: palette.dash(number)
    });
    const speed = this.training(run, 'images_per_second', label('images/s'), color(0), number);
    all.speed.push(speed.pop());  // it is an average already
    if (alone) {
      all.speed.push({
        label: 'share of the peak',
        color: color(4),
        x: this.along(run.training),
        right: true,
        dash: [5, 3],
        y: smoothed(run.peakShares(), this.smoothing)
      });
    }
  }

  // The same in figures, for those who do not see curves.
  fillEvaluations() {
    const rows = this.runs.flatMap((run) => run.evaluations.step.map((step, i) => ({run, step, i})));
    const value = (column) => ({run, i}) => run.evaluations.mean[column]?.[i] ?? null;
    const shown = (title, column, show) =>
        ({title, number: true, value: value(column), show: (row) => show(value(column)(row))});
    const name = this.runs.length > 1 ? [{title: 'run', value: ({run}) => run.label}] : [];
    const table = rows.length === 0 ?
        null :
        sortableTable(
            'Evaluations',
            [
              ...name, {title: 'step', number: true, value: ({step}) => step, show: ({step}) => format.whole(step)},
              shown('loss', 'eval_loss', format.significant), shown('top-1', 'eval_accuracy', format.percent),
              shown('top-5', 'eval_top5', format.percent), shown('training time', 'seconds', format.duration)
            ],
            rows);
    const open = this.evaluations.querySelector('details')?.open ?? false;
    replaceChildren(
        this.evaluations,
        table &&
            element(
                'details', {open},
                element('summary', {}, `${rows.length} ${rows.length === 1 ? 'evaluation' : 'evaluations'} as a table`),
                table));
  }

  destroy() {
    this.group.destroy();
  }
}
