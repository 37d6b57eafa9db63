'use strict';

// Browsers take seconds to lay out thousands of rows, each time anything on the page changes.
const mostRows = 500;

// A table whose columns sort it: `columns` are {title, value (what is sorted by), show (a text or a node; else the value),
// number, hint}. A click on a heading sorts by it, another the other way round; what is not known stays at the end. Of many
// rows the first are there, and the others on demand. `titled`: a heading above says what the caption would say again.
function sortableTable(caption, columns, rows, {first = null, descending = false, titled = false} = {}) {
  const body = element('tbody'), rest = element('p', {class: 'detail'});
  let most = mostRows;
  const headings = columns.map(
      (column, i) => element(
          'th', {scope: 'col', class: column.number ? 'number' : null, title: column.hint},
          element('button', {type: 'button', on: {click: () => sortBy(i)}}, column.title)));
  let order = {column: first, descending};

  const compare = (a, b) => {
    if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
    if (b === null || b === undefined) return -1;
    const difference = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
    return order.descending ? -difference : difference;
  };

  const fill = () => {
    const sorted = order.column === null ?
        rows :
        [...rows].sort((a, b) => compare(columns[order.column].value(a), columns[order.column].value(b)));
    headings.forEach(
        (heading, i) => heading.setAttribute(
            'aria-sort',
            i !== order.column   ? 'none' :
                order.descending ? 'descending' :
                                   'ascending'));
    replaceChildren(body, sorted.slice(0, most).map(rowOf));
    fillRest();
  };

  const rowOf = (row) => element('tr', {}, ...columns.map((column) => {
    const shown = column.show ? column.show(row) : column.value(row);
    return element('td', {class: column.number ? 'number' : column.class ?? null}, shown ?? format.unknown);
  }));

  // Those that are not there.
  const fillRest = () => {
    const showAll = () => {
      most = Infinity;
      fill();
    };
    replaceChildren(
        rest,
        ...rows.length > most ?
            [
              `The first ${format.whole(most)} of ${format.whole(rows.length)}, as they are sorted. `,
              element('button', {type: 'button', on: {click: showAll}}, 'show all')
            ] :
            []);
  };

  const sortBy = (i) => {
    // The greatest first: that is what numbers are sorted for.
    order = {column: i, descending: order.column === i ? !order.descending : Boolean(columns[i].number)};
    fill();
  };

  fill();
  return element(
      'div', {}, titled ? null : element('h3', {class: 'table-title'}, caption),
      element(
          'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption},
          element(
              'table', {class: 'sortable', 'aria-label': caption}, element('thead', {}, element('tr', {}, ...headings)), body)),
      rest);
}

// Keys and values.
function facts(pairs) {
  return element(
      'dl', {class: 'facts'}, ...pairs.flatMap(([key, value]) => [element('dt', {}, key), element('dd', {}, value)]));
}
