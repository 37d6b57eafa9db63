'use strict';

// Usage: page_numbers.js CHART_JS FOLDER_OF_THE_PAGE. Scripts of the page, in a world that has no document but what is asked
// for here.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const vm = require('vm');
const [charts, folder] = process.argv.slice(2);

// A canvas whose context takes every call; a letter is five wide.
function drawing() {
  const canvas = {width: 600, height: 300, style: {}, getContext: () => context};
  const context = new Proxy({canvas, measureText: (text) => ({width: 5 * String(text).length})}, {
    get: (known, name) => name in known ? known[name] : () => undefined,
    set: () => true,
  });
  return canvas;
}

const world = vm.createContext({console, setTimeout, clearTimeout});
const palette = 'const palette = {read: () => "#000000", withAlpha: () => "#000000"};';
const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
const names = '({Chart, StepChart, ChartGroup, Run, format, greatestOf, drawable, smoothed, nearestIndex, parsed})';
const page = vm.runInContext(
    `${fs.readFileSync(charts, 'utf8')}\n${palette}\n${read('format.js')}\n${read('charts.js')}\n${read('model.js')}\n${names}`,
    world);

// The ticks of a chart's axis that shows these curves.
function ticks({curves, least = null, isShare = false, logarithmic = false, range = null}) {
  const group = {range, extent: [0, 100], phases: []};
  const show = (value) => page.format.significant(value);
  const chart = Object.assign(
      Object.create(page.StepChart.prototype),
      {group, least, isShare, logarithmic, curves, hidden: new Set(), xTitle: 'minutes', tick: show, tickRight: show});
  const datasets = chart.dataSets();
  const options =
      {animation: false, responsive: false, parsing: false, normalized: true, events: [], scales: chart.scales(datasets)};
  const drawn = new page.Chart(drawing(), {type: 'line', data: {datasets}, options});
  const values = Object.values(drawn.scales).map((scale) => scale.ticks.map((tick) => tick.value));
  drawn.destroy();
  return values;
}

const curve = (...y) => ({label: 'a', color: '#000000', x: y.map((_, i) => i), y, low: null, high: null});
const sizes = [
  0,        5e-324,
  1e-310,   2.2250738585072014e-308,
  1e-308,   3e-300,
  1e-281,   1e-280,
  1.7e-279, 1e-200,
  1e-20,    1e-7,
  0.1,      0.30000000000000004,
  1,        9007199254740993,
  1e15,     1.1e22,
  1e200,    1e280,
  1e300,    Number.MAX_VALUE
];
assert(ticks({curves: [curve(1, 2, 3)]}).every((axis) => axis.length >= 3));
const begin = Date.now();
for (const size of sizes) {
  for (const other of [size, 0, -size, 1, size * (1 + 2 ** -52), size * 3, null]) {
    for (const way of [{}, {least: 0}, {isShare: true, least: 0}, {logarithmic: true}]) {
      const what = JSON.stringify({size, other, way});
      console.log(what);  // the last one, where it does not end
      for (const axis of ticks({curves: [curve(size, other, size)], ...way})) {
        assert(axis.length <= 4000, `${axis.length} ticks: ${what}`);
        assert(axis.every(Number.isFinite), `${axis}: ${what}`);
      }
    }
  }
}
for (const width of [1e-300, 1e-15, 1e-12, 1e-3]) ticks({curves: [curve(1, 2)], range: [3, 3 + width]});
assert(Date.now() - begin < 60000, `${Date.now() - begin} ms`);

// What is drawn of a number, and what is not changed at all.
assert.strictEqual(page.drawable(1e-308), 0);
assert.strictEqual(page.drawable(-Number.MAX_VALUE), -1e280);
for (const value of [0, 1e-20, -3.5, 1e30]) assert.strictEqual(page.drawable(value), value);
assert.strictEqual(page.greatestOf(Array.from({length: 1e6}, (_, i) => i)), 1e6 - 1);
assert.strictEqual(page.greatestOf([null, -1]), 0);

// How old what a run told of itself is; whether anybody can see it.
const run = (state, written, now) => {
  const made = new page.Run();
  made.apply({state, status: written === null ? null : {written}, read: now});
  return made;
};
assert.strictEqual(run({name: 'training', alive: null}, 100, 135).statusAge, 35);
assert.strictEqual(run({name: 'training', alive: true}, 100, 90).statusAge, 0);
assert.strictEqual(run({name: 'finished', alive: false}, null, 135).statusAge, null);
assert(run({name: 'training', alive: null}, 100, 135).isUnseen);
assert(!run({name: 'training', alive: true}, 100, 135).isUnseen);
assert(!run({name: 'unknown', alive: null}, null, 135).isUnseen);

// Control characters of names, at any depth, and the lines of a recipe.
const odd = {name: 'a\u001b[31m\u009b\r\u007f', list: [{text: 'one\n\ttwo \u00e9 \u4e2d', number: 1.5}]};
const shown = page.parsed(JSON.stringify(odd));
assert.strictEqual(shown.name, 'a\\x1b[31m\\x9b\\x0d\\x7f');
assert.strictEqual(shown.list[0].text, 'one\n\ttwo \u00e9 \u4e2d');
assert.strictEqual(shown.list[0].number, 1.5);
