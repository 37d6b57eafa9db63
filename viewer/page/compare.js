'use strict';

// Several runs side by side.
class Comparison {
  constructor(runs) {
    this.runs = runs;
    this.differingOnly = true;
    this.curves = new Curves(runs);
    this.elements = [
      section('overview', 'Runs', this.overview()),
      this.curves.element,
      section('settings', 'Settings that differ', this.settings()),
      section('layers', 'Layers', this.layers()),
      section('mistakes', 'Classes', this.recalls()),
      section('notes', 'Notes', this.notes()),
    ];
  }

  heading(run) {
    const swatch = element('span', {class: 'swatch'});
    swatch.style.backgroundColor = palette.curve(run.index);
    return element('span', {class: 'run-name'}, swatch, run.label);
  }

  overview() {
    const number = (title, value, show, hint) => ({title, value, number: true, hint, show: (run) => show(value(run))});
    const columns = [
      {title: 'run', value: (run) => run.label, show: (run) => this.heading(run)},
      {title: 'what', value: (run) => run.description, class: 'words'},
      {title: 'state', value: (run) => run.state, show: (run) => badge(run.state)},
      number('steps', (run) => run.steps, format.whole),
      number('top-1', (run) => run.accuracy, format.percent, 'of the last evaluation'),
      number(
          'best', (run) => run.best?.accuracy ?? null, format.percent, 'of the evaluations in the phase that the run ends in'),
      number('top-5', (run) => run.top5, format.percent),
      number('loss', (run) => run.evalLoss, format.significant, 'of the last evaluation'),
      number('images/s', (run) => run.speed, format.whole),
      number('of the peak', (run) => run.peakShare, format.share),
      number('training time', (run) => run.trainingSeconds, format.duration),
      {title: 'bits', value: (run) => run.bits, class: 'narrow'},
      {title: 'machine', value: (run) => run.part('environment').cpu ?? null, class: 'narrow'},
    ];
    const known = columns.filter((column) => this.runs.some((run) => ![null, undefined, ''].includes(column.value(run))));
    return sortableTable('Runs', known, this.runs, {titled: true});
  }

  settings() {
    // Where one run has no setup.json, all are compared by what their recipes say.
    const complete = this.runs.every((run) => (run.part('setup').settings ?? []).length > 0);
    const table = (run) => complete ? run.part('setup').settings : run.recipeSettings;
    const told = this.runs.filter((run) => table(run).length > 0);
    const untold = this.runs.filter((run) => !told.includes(run));
    const missing =
        untold.length > 0 ? notice(`Without settings and recipe: ${untold.map((run) => run.label).join(', ')}.`) : null;
    if (told.length < 2) return element('div', {}, missing);
    const values = new Map();
    told.forEach((run, i) => table(run).forEach(({section: name, key, value}) => {
      const full = name ? `${name}.${key}` : key;
      if (!values.has(full)) values.set(full, told.map(() => null));
      values.get(full)[i] = value;
    }));
    const body = element('div');
    const fill = (differing) => {
      const rows = [...values].filter(([, row]) => !differing || new Set(row).size > 1);
      replaceChildren(
          body,
          rows.length === 0 ? element('p', {class: 'detail'}, 'All settings are equal.') :
                              element(
                                  'div', {class: 'scroll'},
                                  element(
                                      'table', {class: 'compare'},
                                      element(
                                          'thead', {},
                                          element(
                                              'tr', {}, element('th', {scope: 'col'}, 'key'),
                                              ...told.map((run) => element('th', {scope: 'col'}, this.heading(run))))),
                                      element(
                                          'tbody', {},
                                          ...rows.map(
                                              ([key, row]) => element(
                                                  'tr', {}, element('th', {scope: 'row'}, key),
                                                  ...row.map(
                                                      (value) => element(
                                                          'td', {class: this.isOdd(value, row) ? 'differs' : null},
                                                          value ?? format.unknown))))))));
    };
    fill(true);
    return element(
        'div', {}, missing,
        element(
            'div', {class: 'controls'},
            choice('which settings', [[true, 'those that differ'], [false, `all (${values.size})`]], true, fill)),
        body);
  }

  // A value that is not that of most runs.
  isOdd(value, row) {
    if (new Set(row).size < 2) return false;
    const count = (each) => row.filter((other) => other === each).length;
    const most = Math.max(...row.map(count));
    return count(value) < most || row.every((each) => count(each) === most);
  }

  layers() {
    const told = this.runs.filter((run) => run.layerTable.length > 0);
    if (told.length === 0) return notice('No run has a setup.json that names layers.');
    const paths = [...new Set(told.flatMap((run) => run.layerTable.map((layer) => layer.path)))];
    const words = ({weight_bits: weights, act_bits: acts, integer}) => `${weights ?? 'float'} / ${acts ?? 'float'}${
        integer === null ? '' :
            integer      ? ', integer' :
                           ', float'}`;
    const byPath = told.map((run) => new Map(run.layerTable.map((layer) => [layer.path, words(layer)])));
    const rows = paths.map((path) => ({path, cells: byPath.map((layers) => layers.get(path) ?? null)}));
    return element(
        'div', {},
        element(
            'p', {class: 'detail'},
            'Bits of weights / activations, and the arithmetic of the products. What is unlike most is marked.'),
        element(
            'div', {class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'layers of all runs'},
            element(
                'table', {class: 'compare'},
                element(
                    'thead', {},
                    element(
                        'tr', {}, element('th', {scope: 'col'}, 'layer'),
                        ...told.map((run) => element('th', {scope: 'col'}, this.heading(run))))),
                element(
                    'tbody', {},
                    ...rows.map(
                        ({path, cells}) => element(
                            'tr', {}, element('th', {scope: 'row'}, path),
                            ...cells.map(
                                (cell) => element(
                                    'td', {class: this.isOdd(cell, cells) ? 'differs' : null}, cell ?? format.unknown))))))));
  }

  // Where classes are the same: how many of each were recognized, those first in which runs differ most.
  recalls() {
    const told = this.runs.filter((run) => (run.part('evaluation').recall ?? []).length > 0);
    const classes = (run) => JSON.stringify([run.part('evaluation').recall.length, run.part('evaluation').class_names ?? null]);
    const same = told.every((run) => classes(run) === classes(told[0]));
    if (told.length < 2 || !same)
      return notice('Classes are compared where several runs have an evaluation.json of the same classes.');
    const rows = told[0]
                     .part('evaluation')
                     .recall
                     .map((_, label) => {
                       const values = told.map((run) => run.part('evaluation').recall[label]);
                       const known = values.filter(format.known);
                       return {label, values, spread: known.length > 1 ? Math.max(...known) - Math.min(...known) : null};
                     })
                     .sort((a, b) => (b.spread ?? -1) - (a.spread ?? -1))
                     .slice(0, 100);
    return sortableTable(
        'Share of each class that was recognized',
        [
          {title: 'class', value: ({label}) => told[0].className(label)},
          ...told.map((run, i) => ({
                        title: run.label,
                        number: true,
                        value: ({values}) => values[i],
                        show: ({values}) => format.share(values[i])
                      })),
          {title: 'differ by', number: true, value: ({spread}) => spread, show: ({spread}) => format.share(spread)},
        ],
        rows, {first: told.length + 1, descending: true});
  }

  notes() {
    const noted = this.runs.filter((run) => run.notes.length > 0);
    if (noted.length === 0) return element('p', {class: 'detail'}, 'There is nothing to note.');
    return element(
        'div', {},
        ...noted.map(
            (run) => element(
                'div', {}, element('h3', {}, this.heading(run)),
                element('ul', {class: 'notes'}, ...run.notes.map((note) => element('li', {}, note))))));
  }

  update() {
    this.curves.update();
  }

  destroy() {
    this.curves.destroy();
  }
}
