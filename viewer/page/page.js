'use strict';

// Puts the page together from the data in it, or follows a run.
const page = (() => {
  const data = parsed(document.getElementById('data').textContent);
  const main = document.getElementById('main');
  const top = document.getElementById('top');
  const bottom = document.getElementById('bottom');
  const root = document.documentElement;
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  let parts = [];
  let faults = 0;

  // What tests look at: how much was drawn, and whether anything went wrong.
  const markRendered = () => {
    const charts = document.querySelectorAll('figure.chart').length;
    root.dataset.rendered = `${charts} charts, ${document.querySelectorAll('canvas.heatmap').length} heatmaps, ` +
        `${document.querySelectorAll('table').length} tables`;
  };
  window.addEventListener('error', (event) => {
    faults += 1;
    root.dataset.faults = `${faults}: ${event.message}`;
  });
  window.addEventListener('unhandledrejection', (event) => {
    faults += 1;
    root.dataset.faults = `${faults}: ${event.reason}`;
  });
  document.addEventListener('securitypolicyviolation', (event) => {
    faults += 1;
    root.dataset.faults = `${faults}: ${event.violatedDirective} kept out ${event.blockedURI}`;
  });

  const heading = (title, subtitle, ...more) => {
    replaceChildren(
        top, element('div', {class: 'title'}, element('p', {class: 'brand'}, 'qfw'), element('h1', {}, title), ...more),
        element('p', {class: 'subtitle'}, subtitle), element('nav', {'aria-label': 'parts of the page'}));
  };

  const navigate = () => {
    const links = [...main.querySelectorAll('section')].map(
        (each) => element('a', {href: `#${each.id}`}, each.querySelector('h2').textContent));
    const nav = top.querySelector('nav');
    if (nav) replaceChildren(nav, ...links);
  };

  const footer = (text) => replaceChildren(bottom, element('p', {}, text));

  const headingOf = (run) => {
    heading(run.description, run.parts.folder ?? run.name, badge(run.isUnseen ? `${run.state}?` : run.state, run.state));
    navigate();
    document.title = `${run.isAlive && format.known(run.steps) ? `${run.steps} · ` : ''}${run.name} · qfw`;
  };

  const clear = () => {
    parts.forEach((part) => part.destroy?.());
    parts = [];
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  };

  const showRun = (run) => {
    clear();
    const overview = new Overview(run), curves = new Curves([run]), layers = new Layers(run), mistakes = new Mistakes(run),
          settings = new Settings(run);
    parts = [overview, curves, layers, mistakes, settings];
    replaceChildren(main, overview.element, curves.element, layers.element, mistakes.element, ...settings.elements);
    headingOf(run);
    parts.slice(1, 4).forEach((part) => part.update());  // now that they have a width
    footer(`Made of ${run.parts.folder ?? run.name}, ${format.time(run.parts.read)}.`);
    markRendered();
  };

  const showComparison = (runs) => {
    clear();
    const comparison = new Comparison(runs);
    parts = [comparison];
    replaceChildren(main, ...comparison.elements);
    heading(`${runs.length} runs`, runs.map((run) => run.parts.folder).join(', '));
    navigate();
    comparison.curves.update();
    document.title = `${runs.map((run) => run.label).join(', ')} · qfw`;
    footer(`Made ${format.time(runs[0].parts.read)}.`);
    markRendered();
  };

  // Draws again only what shows the parts that changed.
  const updateRun = (run, changed) => {
    const [overview, curves, layers, mistakes, settings] = parts;
    const any = (...names) => names.some((name) => changed.has(name));
    if (any('state', 'status', 'report', 'setup', 'evaluation', 'environment', 'training', 'evaluations')) {
      overview.update();
    } else if (any('read')) {
      overview.progress.update();  // how old the last news are
    }
    if (any('training', 'evaluations', 'setup')) curves.update();
    if (any('layers', 'setup')) layers.update();
    if (any('evaluation', 'setup')) mistakes.update();
    if (any('setup', 'recipe', 'report', 'environment', 'files')) settings.update();
    if (any('state', 'setup', 'report', 'recipe')) headingOf(run);
    footer(`${run.parts.folder}, as of ${format.time(run.parts.read)}; looks for news ${
        run.isAlive ? 'every second' : 'every five seconds'}.`);
    markRendered();
  };

  const lost = (reason) => {
    document.getElementById('lost')?.remove();
    if (reason === null) return;
    main.prepend(element(
        'p', {id: 'lost', class: 'notice notice-bad', role: 'status'},
        `The watcher does not answer (${reason}): what you see is of before. This page asks again by itself.`));
  };

  const follow = () => {
    let run = null, cursor = null;
    const wait = () => {
      if (!root.dataset.rendered) {
        heading('Waiting for the run to begin', data.title);
        replaceChildren(main, notice('Nothing of a run is in this folder yet. The page begins by itself when there is.'));
        markRendered();
      }
      return 1000;
    };
    const apply = (news) => {
      if (news.mode === 'waiting') return run ? 1000 : wait();
      if (news.mode === 'list') {
        location.reload();
        return 1000;
      }
      cursor = news.cursor;
      if (run) {
        updateRun(run, run.apply(news));
      } else {
        run = new Run();
        run.apply(news);
        showRun(run);
      }
      return run.isAlive ? 1000 : 5000;
    };
    follower(
        {address: `${location.pathname.replace(/\/$/, '')}/update`, query: () => cursor ? `?cursor=${cursor}` : '', apply});
    onScheme(() => run && showRun(run));
  };

  const followList = () => {
    const list = new RunList();
    heading('Runs', data.title);
    replaceChildren(main, list.element);
    follower({
      address: '/list',
      apply: (news) => {
        if (news.mode !== 'list') location.reload();
        list.update(news);
        markRendered();
        return 3000;
      }
    });
  };

  const follower = (options) => new Follower({...options, lost}).start();

  // Canvases do not follow the style sheet by themselves; paper is light.
  const onScheme = (draw) => {
    scheme.addEventListener('change', draw);
    const print = (on) => {
      if (!scheme.matches) return;
      root.classList.toggle('print', on);
      parts.forEach((part) => part.update());
    };
    window.addEventListener('beforeprint', () => print(true));
    window.addEventListener('afterprint', () => print(false));
  };

  const label = (runs) => {
    const names = runs.map((run) => run.name);
    runs.forEach((run) => {
      run.label = names.filter((name) => name === run.name).length > 1 ? run.parts.folder : run.name;
    });
  };

  const start = () => {
    if (data.mode === 'live') return follow();
    if (data.mode === 'list') return followList();
    const runs = data.runs.map((news, i) => {
      const run = new Run(i);
      run.apply(news);
      return run;
    });
    label(runs);
    const draw = () => runs.length === 1 ? showRun(runs[0]) : showComparison(runs);
    draw();
    onScheme(draw);
  };

  start();
  return {data};
})();
