'use strict';

// Control characters that a name may hold, as terminals and logs show them: `\x1b`. Lines of a recipe stay lines.
function printable(text) {
  return text.replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

// All that a page tells of runs comes through here.
function parsed(text) {
  return JSON.parse(text, (key, value) => typeof value === 'string' ? printable(value) : value);
}

// A run as its document tells it (docs/report.md), and what follows from that. Every part may be missing.
class Run {
  constructor(index = 0) {
    this.index = index;
    this.parts = {};
    this.training = Run.emptyCourse();
    this.evaluations = Run.emptyCourse();
    this.layers = {step: [], every: 1, operands: []};
  }

  static emptyCourse() {
    return {step: [], mean: {}, low: null, high: null, rows: 0, stride: 1};
  }

  // Takes over a document, or what is new in it; the set of the parts that changed.
  apply(news) {
    const changed = new Set();
    for (const part
             of ['name', 'folder', 'read', 'state', 'files', 'setup', 'status', 'report', 'evaluation', 'environment',
                 'recipe']) {
      if (!(part in news)) continue;
      if (JSON.stringify(this.parts[part]) !== JSON.stringify(news[part])) changed.add(part);
      this.parts[part] = news[part];
    }
    for (const name of ['training', 'evaluations']) {
      if (news[name] && this.extendCourse(name, news[name])) changed.add(name);
    }
    if (news.layers) {
      this.extendLayers(news.layers);
      changed.add('layers');
    }
    return changed;
  }

  extendCourse(name, news) {
    const old = this[name];
    const asMany = news.rows === old.rows && news.stride === old.stride && news.from + news.step.length === old.step.length;
    if (asMany && (news.from > 0 || JSON.stringify([news.step, news.mean]) === JSON.stringify([old.step, old.mean])))
      return false;
    const kept = (values) => news.from === 0 ? [] : (values ?? []).slice(0, news.from);
    const extended = (table, added) => added &&
        Object.fromEntries(Object.entries(added).map(([column, values]) => [column, kept(table?.[column]).concat(values)]));
    this[name] = {
      step: kept(old.step).concat(news.step),
      mean: extended(old.mean, news.mean),
      low: extended(old.low, news.low),
      high: extended(old.high, news.high),
      rows: news.rows,
      stride: news.stride,
    };
    return true;
  }

  extendLayers(news) {
    const old = this.layers;
    const operands = news.operands.map((operand, i) => {
      const before = news.from === 0 ? {} : old.operands[i] ?? {};
      const joined = {layer: operand.layer, operand: operand.operand};
      for (const key of ['bound', 'low', 'high', 'clipped'])
        joined[key] = (before[key] ?? []).slice(0, news.from).concat(operand[key]);
      return joined;
    });
    this.layers = {step: old.step.slice(0, news.from).concat(news.step), every: news.every, operands};
  }

  part(name) {
    return this.parts[name] ?? {};
  }

  get name() {
    return this.parts.name || 'run';
  }
  get state() {
    return this.part('state').name ?? 'unknown';
  }
  get isAlive() {
    return this.part('state').alive === true;
  }
  // Whether it was at work when it last told, and nobody here can see whether it still is.
  get isUnseen() {
    return this.part('state').alive === null && this.state !== 'unknown';
  }
  // Seconds since the run last told what it does.
  get statusAge() {
    const {written} = this.part('status');
    return format.known(written) && format.known(this.parts.read) ? Math.max(this.parts.read - written, 0) : null;
  }
  get description() {
    return this.part('setup').description || this.part('report').description || this.described() || this.name;
  }
  get classNames() {
    return this.part('evaluation').class_names ?? this.part('setup').class_names;
  }
  get phases() {
    return (this.part('setup').phases ?? []).filter((phase) => format.known(phase.first_step));
  }
  get layerTable() {
    return this.part('setup').layers ?? [];
  }

  // A run of an older version has its description in the recipe only.
  described() {
    const line = /^\s*description\s*=\s*(.*?)\s*$/m.exec(typeof this.parts.recipe === 'string' ? this.parts.recipe : '');
    return line ? line[1] : '';
  }

  // The lines of recipe.ini, for runs that have no setup.json.
  get recipeSettings() {
    let name = '';
    const settings = [];
    for (const line of String(this.parts.recipe ?? '').split('\n')) {
      const header = /^\s*\[(.*)\]\s*$/.exec(line);
      const pair = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
      if (header) {
        name = header[1];
      } else if (pair) {
        settings.push({section: name, key: pair[1], value: pair[2]});
      }
    }
    return settings;
  }

  // The first of several values that is known.
  first(...values) {
    return values.find((value) => value !== null && value !== undefined && value !== '') ?? null;
  }

  get steps() {
    const last = this.training.step[this.training.step.length - 1];
    return this.first(this.part('state').step, last);
  }
  get totalSteps() {
    return this.first(this.part('status').total_steps, this.part('setup').total_steps, this.part('report').total_steps);
  }

  lastOf(course, column) {
    const values = course.mean[column] ?? [];
    for (let i = values.length - 1; i >= 0; --i)
      if (values[i] !== null) return values[i];
    return null;
  }

  get accuracy() {
    return this.first(
        this.lastOf(this.evaluations, 'eval_accuracy'), this.part('status').eval_accuracy, this.part('report').eval_accuracy,
        this.part('evaluation').top1);
  }
  get top5() {
    return this.first(this.lastOf(this.evaluations, 'eval_top5'), this.part('evaluation').top5);
  }
  get evalLoss() {
    return this.first(this.lastOf(this.evaluations, 'eval_loss'), this.part('report').eval_loss, this.part('evaluation').loss);
  }
  get evaluationStep() {
    return this.first(this.evaluations.step[this.evaluations.step.length - 1], this.part('evaluation').step);
  }

  // As the program says it, which counts evaluations of the run's last phase only.
  get best() {
    const {status, report} = {status: this.part('status'), report: this.part('report')};
    if (format.known(status.best_accuracy)) return {accuracy: status.best_accuracy, step: status.best_step};
    if (format.known(report.best_eval_accuracy)) return {accuracy: report.best_eval_accuracy, step: report.best_eval_step};
    return null;
  }

  get speed() {
    const live = this.isAlive ? this.part('status').images_per_second : null;
    return this.first(
        live, this.part('report').images_per_second, this.part('status').images_per_second,
        this.lastOf(this.training, 'images_per_second'));
  }
  get peakShare() {
    const live = this.isAlive ? this.part('status').peak_share : null;
    return this.first(live, this.part('report').peak_share, this.part('status').peak_share);
  }
  // Spent on training steps over all starts, without evaluations and checkpoints.
  get trainingSeconds() {
    return this.first(this.lastOf(this.training, 'seconds'), this.lastOf(this.evaluations, 'seconds'));
  }

  phaseAt(step) {
    return this.phases.filter((phase) => phase.first_step < step || phase.first_step === 0).pop() ?? null;
  }

  // Speed as a share of what the machine's peak would allow in that phase.
  peakShares() {
    const speeds = this.training.mean.images_per_second ?? [];
    return speeds.map((speed, i) => {
      const peak = this.phaseAt(this.training.step[i])?.peak_images_per_second;
      return format.known(speed) && peak > 0 ? speed / peak : null;
    });
  }

  get bits() {
    const counts = new Map();
    for (const layer of this.layerTable) {
      const text = `w${layer.weight_bits ?? 'f'} a${layer.act_bits ?? 'f'}`;
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([text, count]) => `${text}: ${count} layers`).join(', ');
  }

  className(label) {
    const name = this.classNames?.[label];
    return typeof name === 'string' && name !== '' ? name : `class ${label}`;
  }

  get notes() {
    const {setup, report} = {setup: this.part('setup').notes ?? [], report: this.part('report').notes ?? []};
    return [...new Set([...setup, ...report])];
  }
}
