'use strict';

// "recipes/fashion.ini:12" is as good as the whole path, which is shown on demand.
function shortOrigin(origin) {
  return format.text(origin).split('/').slice(-2).join('/');
}

// The recipe, what of it was chosen and what defaulted, notes, the machine and the files that all this was read from.
class Settings {
  constructor(run) {
    this.run = run;
    this.changedOnly = true;
    this.filter = '';
    this.settings = element('div');
    this.recipe = element('div');
    this.notes = element('div');
    this.environment = element('div');
    this.files = element('div');
    this.elements = [
      section('settings', 'Settings', this.settings, this.recipe),
      section('notes', 'Notes', this.notes),
      section('environment', 'Environment', this.environment, this.files),
    ];
    this.update();
  }

  update() {
    this.drawSettings();
    this.drawRecipe();
    this.drawNotes();
    this.drawEnvironment();
  }

  drawSettings() {
    const all = this.run.part('setup').settings ?? [];
    if (all.length === 0) {
      replaceChildren(this.settings, notice('setup.json names no settings; the recipe below is what there is.'));
      return;
    }
    const body = element('div');
    const search = element('input', {
      type: 'search',
      placeholder: 'key, value or words',
      'aria-label': 'filter settings',
      value: this.filter,
      on: {
        input: () => {
          this.filter = search.value;
          fill();
        }
      }
    });
    const isShown = (setting) => (!this.changedOnly || !setting.default) &&
        this.filter.toLowerCase().split(/\s+/).every(
            (word) =>
                `${setting.section}.${setting.key} ${setting.value} ${setting.origin} ${setting.doc}`.toLowerCase().includes(
                    word));
    const fill = () => {
      const rows = all.filter(isShown);
      const sections = [...new Set(rows.map((row) => row.section))];
      replaceChildren(
          body,
          rows.length === 0 ?
              notice('None of the settings is like that.') :
              element(
                  'div', {class: 'scroll'},
                  element(
                      'table', {class: 'settings'},
                      ...sections.map(
                          (name) => element(
                              'tbody', {}, element('tr', {}, element('th', {colspan: 4, scope: 'rowgroup'}, `[${name ?? ''}]`)),
                              ...rows.filter((row) => row.section === name)
                                  .map(
                                      (row) => element(
                                          'tr', {class: row.default ? 'defaulted' : null},
                                          element('td', {class: 'key'}, row.key), element('td', {class: 'value'}, row.value),
                                          element('td', {class: 'origin', title: row.origin}, shortOrigin(row.origin)),
                                          element('td', {class: 'doc'}, row.doc))))))));
    };
    fill();
    const changed = all.filter((setting) => !setting.default).length;
    replaceChildren(
        this.settings,
        element(
            'div', {class: 'controls'},
            choice(
                'which settings', [[true, `set (${changed})`], [false, `all (${all.length})`]], this.changedOnly,
                (changedOnly) => {
                  this.changedOnly = changedOnly;
                  fill();
                }),
            search),
        body);
  }

  drawRecipe() {
    const text = this.run.parts.recipe;
    const {recipe: from} = this.run.part('setup');
    replaceChildren(
        this.recipe, from ? element('p', {class: 'detail'}, `From ${from}.`) : null,
        typeof text === 'string' ?
            element('details', {}, element('summary', {}, 'recipe.ini, as the run resolved it'), element('pre', {}, text)) :
            null);
  }

  drawNotes() {
    const {notes} = this.run;
    const corrupt = this.run.part('report').corrupt ?? [];
    replaceChildren(
        this.notes,
        notes.length === 0 && corrupt.length === 0 ? element('p', {class: 'detail'}, 'There is nothing to note.') : null,
        notes.length > 0 ? element('ul', {class: 'notes'}, ...notes.map((note) => element('li', {}, note))) : null,
        corrupt.length > 0 ? element('h3', {}, 'Corrupt examples') : null,
        corrupt.length > 0 ? element('ul', {class: 'notes'}, ...corrupt.map((note) => element('li', {}, note))) : null);
  }

  drawEnvironment() {
    const {environment, files} = this.run.parts;
    const pairs =
        Object.entries(environment ?? {}).filter(([, value]) => value !== null).map(([key, value]) => [key, String(value)]);
    for (const [kind, peak] of Object.entries(this.run.part('setup').peak ?? {})) {
      if (format.known(peak)) pairs.push([`peak, ${kind}`, `${format.metric(peak)} multiplications/s`]);
    }
    replaceChildren(this.environment, pairs.length > 0 ? facts(pairs) : notice('There is no environment.json.'));
    const problems = (files ?? []).some((file) => file.problem);
    replaceChildren(
        this.files,
        element(
            'details', {open: problems}, element('summary', {}, 'Files that this page was made from'),
            element(
                'div', {class: 'scroll'},
                element(
                    'table', {},
                    element(
                        'tbody', {},
                        ...(files ?? [])
                            .map(
                                (file) => element(
                                    'tr', {}, element('th', {scope: 'row'}, file.name),
                                    element(
                                        'td', {class: file.problem ? 'bad' : null},
                                        file.problem ?? (file.there ? 'read' : 'not there')),
                                    element('td', {class: 'number'}, file.there ? format.bytes(file.bytes) : ''),
                                    element('td', {}, file.there ? format.time(file.modified) : ''))))))));
  }
}
