'use strict';

// Asks the server that the page came from for what is new, about once a second while the run goes on.
class Follower {
  constructor({address, query = () => '', apply, lost}) {
    Object.assign(this, {address, query, apply, lost, failures: 0, pause: 1000});
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.now();
    });
  }

  start() {
    this.now();
  }

  now() {
    clearTimeout(this.timer);
    if (!this.asking) this.ask();
  }

  async ask() {
    this.asking = true;
    try {
      const response = await fetch(this.address + this.query(), {cache: 'no-store', signal: AbortSignal.timeout(20000)});
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      this.pause = this.apply(parsed(await response.text())) ?? 1000;
      if (this.failures > 0) this.lost(null);
      this.failures = 0;
    } catch (error) {
      if (error instanceof TypeError || error.name === 'TimeoutError' || error.name === 'AbortError' ||
          /answered/.test(error.message)) {
        this.failures += 1;
        if (this.failures > 1) this.lost(error.message);
        this.pause = Math.min(1000 * this.failures, 5000);
      } else {
        throw error;  // a fault of the page itself
      }
    } finally {
      this.asking = false;
      // A page that nobody sees asks rarely.
      this.timer = setTimeout(() => this.now(), document.hidden ? 15000 : this.pause);
    }
  }
}

// The runs of a folder, as links to their pages.
class RunList {
  constructor() {
    this.body = element('div');
    this.element = section('runs', 'Runs', this.body);
  }

  update({runs, left_out: leftOut, complete}) {
    if (runs.length === 0) {
      replaceChildren(this.body, notice('There is no run yet; this page looks again by itself.'));
      return;
    }
    const number = (title, value, show) => ({title, value, number: true, show: (run) => show(value(run))});
    replaceChildren(
        this.body,
        sortableTable(
            'Runs',
            [
              {title: 'run', value: (run) => run.name, show: (run) => element('a', {href: `/run/${run.number}`}, run.name)},
              {title: 'what', value: (run) => [run.description, ...run.problems].filter(Boolean).join('; ')},
              {title: 'state', value: (run) => run.state, show: (run) => badge(run.state)},
              number('step', (run) => run.step, format.whole),
              number('of', (run) => run.total_steps, format.whole),
              number('top-1', (run) => run.eval_accuracy, format.percent),
              number('best', (run) => run.best_accuracy, format.percent),
              {title: 'changed', value: (run) => run.written, show: (run) => format.time(run.written)},
            ],
            runs, {first: 7, descending: true, titled: true}),
        leftOut > 0 ? notice(`${format.whole(leftOut)} further runs are not shown.`) : null,
        complete ? null : notice('This folder holds more files and folders than are looked at; some runs may be missing.'));
  }
}
