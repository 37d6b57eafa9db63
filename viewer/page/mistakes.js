'use strict';

// What the network takes for what, and the images that it is most surely wrong about.
class Mistakes {
  constructor(run) {
    this.run = run;
    this.body = element('div');
    this.element = section('mistakes', 'Mistakes', this.body);
  }

  update() {
    const evaluation = this.run.parts.evaluation;
    this.heatmap?.destroy();
    if (!evaluation) {
      replaceChildren(
          this.body, notice('There is no evaluation.json: the run has not evaluated yet, or is of an older version.'));
      return;
    }
    const intro = element(
        'p', {class: 'detail'},
        `Of the evaluation after step ${format.whole(evaluation.step)}, on ${format.whole(evaluation.examples)} images.`);
    replaceChildren(
        this.body, intro,
        element('div', {class: 'columns'}, this.matrix(evaluation), this.confusions(evaluation), this.recall(evaluation)),
        this.worst(evaluation));
  }

  name(label) {
    return this.run.className(label);
  }

  words(label, predicted, count, all) {
    const share = all > 0 ? ` (${format.share(count / all)})` : '';
    return label === predicted ?
        `${this.name(label)}: ${format.whole(count)} of ${format.whole(all)} right${share}` :
        `${this.name(label)} taken for ${this.name(predicted)}: ${format.whole(count)} of ${format.whole(all)}${share}`;
  }

  matrix({confusion}) {
    if (!confusion || confusion.length === 0) return null;
    const totals = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
    const share = (row, column) => totals[row] > 0 ? confusion[row][column] / totals[row] : null;
    const explained = element(
        'p', {class: 'detail'},
        'Each row is a class; its shares sum to 100 %. Columns are what it was taken for. ' +
            'Colours grow with the square root of the share, so that rare mistakes are seen.');
    const content =
        confusion.length <= 20 ? this.smallMatrix(confusion, totals, share) : this.largeMatrix(confusion, totals, share);
    const size = confusion.length <= 20 ? 'compact' : 'wide';
    return element(
        'div', {class: `block ${size}`}, element('h3', {}, 'Confusion matrix'), explained,
        rampLegend(1, 0.5, (value) => format.share(value, 0)), content);
  }

  smallMatrix(confusion, totals, share) {
    const colors = palette.scale();
    const cell = (row, column) => {
      const value = share(row, column);
      const color = colors((value ?? 0) ** 0.5);
      const text = value === null ? '' : value >= 0.9995 ? '100' : value > 0 ? (100 * value).toFixed(1) : '·';
      const made = element(
          'td', {title: this.words(row, column, confusion[row][column], totals[row]), class: row === column ? 'right' : null},
          text);
      made.style.backgroundColor = color.css;
      made.style.color = color.isDark ? '#ffffff' : '#111111';
      return made;
    };
    const names = confusion.map((_, i) => this.name(i));
    return element(
        'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'confusion matrix, in percent'},
        element(
            'table', {class: 'matrix'},
            element(
                'thead', {},
                element(
                    'tr', {}, element('th', {}, '%'),
                    ...names.map((name) => element('th', {scope: 'col', class: 'turned'}, element('span', {}, name))))),
            element(
                'tbody', {},
                ...names.map(
                    (name, row) => element(
                        'tr', {}, element('th', {scope: 'row'}, name), ...names.map((_, column) => cell(row, column)))))));
  }

  largeMatrix(confusion, totals, share) {
    const names = confusion.map((_, i) => this.name(i));
    this.heatmap = new Heatmap({
      label: 'Confusion matrix',
      rows: names,
      columns: names,
      value: share,
      most: 1,
      power: 0.5,
      rowHeight: confusion.length > 50 ? 7 : 12,
      columnTitle: 'taken for',
      tell: (row, column) => this.words(row, column, confusion[row][column], totals[row]),
    });
    return this.heatmap.element;
  }

  confusions({confusions}) {
    const rows = (confusions ?? []).filter((each) => format.known(each.label) && format.known(each.predicted)).slice(0, 50);
    if (rows.length === 0) return null;
    const most = rows[0].count;
    return element(
        'div', {class: 'block'}, element('h3', {}, 'Most frequent mistakes'),
        element('ol', {class: 'confusions'}, ...rows.map((each) => {
          const filled = element('span', {class: 'filled'});
          filled.style.width = `${100 * each.count / most}%`;
          return element(
              'li', {},
              element('span', {class: 'what'}, element('b', {}, this.name(each.label)), ' → ', this.name(each.predicted)),
              element('span', {class: 'bar', 'aria-hidden': 'true'}, filled),
              element('span', {class: 'count'}, format.whole(each.count)));
        })));
  }

  recall({recall}) {
    const rows = (recall ?? []).map((value, label) => ({value, label})).filter((row) => row.value !== null);
    if (rows.length === 0) return null;
    return element(
        'div', {class: 'block'},
        sortableTable(
            'Share of each class that was recognized',
            [
              {title: 'class', value: ({label}) => this.name(label)},
              {title: 'right', number: true, value: ({value}) => value, show: ({value}) => format.share(value)},
            ],
            rows, {first: 1}));
  }

  worst({worst}) {
    if (!worst || worst.length === 0) return null;
    return element(
        'div', {class: 'block'}, element('h3', {}, 'Most confidently mistaken'),
        element(
            'p', {class: 'detail'}, 'What each image is, what it was taken for, and how probable the network thought that.'),
        element('ol', {class: 'worst'}, ...worst.map((each) => this.picture(each))));
  }

  picture({index, where, label, predicted, probability, label_probability: own, loss, width, height, image}) {
    const size = format.known(width) && format.known(height) ? {width, height} : {};
    const shown = image ? element('img', {
      src: image,
      alt: `${this.name(label)}, taken for ${this.name(predicted)}`,
      ...size,
      class: width <= 64 ? 'small' : null,
      loading: 'lazy'
    }) :
                          element('div', {class: 'no-image'}, 'no image');
    const details = `${where ?? ''} (number ${index ?? '?'}); loss ${format.significant(loss)}`;
    return element(
        'li', {title: details}, element('div', {class: 'frame'}, shown), element('p', {class: 'label'}, this.name(label)),
        element(
            'p', {class: 'predicted'}, '→ ', this.name(predicted), ' ',
            element('span', {class: 'count'}, format.share(probability))),
        element('p', {class: 'detail'}, `${this.name(label)}: ${format.share(own)}`));
  }

  destroy() {
    this.heatmap?.destroy();
  }
}
