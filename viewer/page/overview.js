'use strict';

const stateWords = {
  starting: 'is starting',
  compiling: 'is compiling',
  training: 'is training',
  evaluating: 'is evaluating',
  saving: 'is saving',
  running: 'is running',
  finished: 'finished',
  interrupted: 'was interrupted; the same command goes on',
  diverged: 'diverged',
  failed: 'failed',
  killed: 'was killed; the same command goes on from the last checkpoint',
  unfinished: 'did not finish; the same command goes on from the last checkpoint',
  unknown: 'is of an unknown state',
};

function tile(title, value, ...details) {
  return element(
      'div', {class: 'tile'}, element('h3', {}, title),
      element('p', {class: typeof value === 'string' && value.length > 18 ? 'figure long' : 'figure'}, value),
      ...details.filter(Boolean).map((detail) => element('p', {class: 'detail'}, detail)));
}

// What a run came to, in a few figures.
class Overview {
  constructor(run) {
    this.run = run;
    this.tiles = element('div', {class: 'tiles'});
    this.messages = element('div');
    this.progress = new Progress(run);
    this.element = section('overview', 'Overview', this.messages, this.progress.element, this.tiles);
    this.update();
  }

  update() {
    const {run} = this;
    const report = run.part('report');
    const error = run.part('status').error ?? report.error;
    const problem =
        ['diverged', 'failed'].includes(run.state) && error ? element('p', {class: 'notice notice-bad'}, error) : null;
    const bad = ['killed', 'unfinished', 'unknown'].includes(run.state) ?
        notice(`This run ${stateWords[run.state]}. ${run.part('state').why ?? ''}`) :
        null;
    replaceChildren(this.messages, problem, bad, this.unseen());
    this.progress.update();
    replaceChildren(
        this.tiles, this.accuracy(), this.loss(), this.stepsDone(), this.speed(), this.duration(), this.network(), this.data(),
        this.machine());
  }

  // Of a run on another machine nobody here is told that its process is gone.
  unseen() {
    const {run} = this;
    if (!run.isUnseen) return null;
    const when = run.statusAge === null ? 'when it last told' : `${format.duration(run.statusAge)} ago`;
    return notice(`This run ${stateWords[run.state] ?? run.state}, or was ${when}: ${run.part('state').why ?? ''}`);
  }

  accuracy() {
    const {run} = this;
    const {best} = run;
    const examples = run.part('evaluation').examples;
    return tile(
        'Accuracy, top-1', format.percent(run.accuracy),
        format.known(run.evaluationStep) &&
            `after step ${format.whole(run.evaluationStep)}${
                format.known(examples) ? `, on ${format.whole(examples)} images` : ''}`,
        best && format.known(best.accuracy) && `best ${format.percent(best.accuracy)} at step ${format.whole(best.step)}`,
        format.known(run.top5) && `top-5 ${format.percent(run.top5)}`);
  }

  loss() {
    const training = this.run.lastOf(this.run.training, 'loss');
    return tile(
        'Loss, evaluation', format.significant(this.run.evalLoss),
        format.known(training) && `training ${format.significant(training)}`);
  }

  stepsDone() {
    const {run} = this;
    const {steps_per_epoch: perEpoch, batch_size: batch} = run.part('setup');
    return tile(
        'Steps', format.whole(run.steps), format.known(run.totalSteps) && `of ${format.whole(run.totalSteps)}`,
        perEpoch > 0 && format.known(run.steps) &&
            `${(run.steps / perEpoch).toFixed(2)} epochs of ${format.whole(perEpoch)} steps`,
        format.known(batch) && `batches of ${format.whole(batch)} images`);
  }

  speed() {
    const {run} = this;
    const {cores} = run.part('status');
    return tile(
        'Speed', [format.whole(run.speed), element('small', {}, ' images/s')],
        format.known(run.peakShare) && `${format.share(run.peakShare)} of the machine's peak`,
        format.known(cores) && `on ${format.significant(cores, 3)} cores, as many as it had`);
  }

  duration() {
    const {status} = this.run.parts;
    const wall =
        status && format.known(status.started) && format.known(status.written) ? status.written - status.started : null;
    return tile(
        'Training time', format.duration(this.run.trainingSeconds), 'training steps of all starts',
        wall !== null && `last start: ${format.duration(wall)} with evaluations and checkpoints`);
  }

  network() {
    const {run} = this;
    const {model, quantizer, parameters, multiplications} = run.part('setup');
    if (!model && !parameters) return null;
    return tile(
        'Network', model ?? format.unknown, format.known(parameters) && `${format.metric(parameters)} parameters`,
        format.known(multiplications) && `${format.metric(multiplications)} multiplications an image`, quantizer, run.bits);
  }

  data() {
    const {dataset, classes, train_examples: training, validation_examples: validation} = this.run.part('setup');
    if (!dataset) return null;
    return tile(
        'Data', dataset, format.known(classes) && `${format.whole(classes)} classes`,
        format.known(training) && `${format.whole(training)} images to train`,
        format.known(validation) && `${format.whole(validation)} to validate`);
  }

  machine() {
    const {environment} = this.run.parts;
    const {backend, threads, replicas} = {...environment, ...this.run.part('setup')};
    if (!environment && !backend) return null;
    return tile(
        'Machine', format.text(environment?.cpu), backend ?? null, format.known(threads) && `${format.whole(threads)} threads`,
        replicas > 1 && `${format.whole(replicas)} replicas`, environment?.host ? `host ${environment.host}` : null);
  }
}

// How far a run is: steps with their phases, the evaluation that goes on, the time that is left. Gone once the run is finished.
class Progress {
  constructor(run) {
    this.run = run;
    this.element = element('div', {class: 'progress'});
    this.update();
  }

  update() {
    const {run} = this;
    this.element.hidden = run.state === 'finished' || !format.known(run.totalSteps) || !format.known(run.steps);
    if (this.element.hidden) return;
    const status = run.part('status');
    replaceChildren(
        this.element,
        element(
            'p', {class: 'detail'},
            [
              `step ${format.whole(run.steps)} of ${format.whole(run.totalSteps)}`,
              format.known(status.epoch) && `epoch ${status.epoch.toFixed(2)} of ${format.whole(status.epochs)}`,
              run.isAlive && status.phase && `phase: ${status.phase}`,
              run.isAlive && format.known(status.next_phase_step) && this.nextPhase(status),
              run.isAlive && format.known(status.seconds_left) && `${format.duration(status.seconds_left)} left`,
              run.statusAge !== null && `last news ${format.duration(run.statusAge)} ago`,
              format.known(status.last_checkpoint_step) &&
                  `last checkpoint at step ${format.whole(status.last_checkpoint_step)}`,
            ].filter(Boolean)
                .join(' · ')),
        this.timeline(), this.evaluation());
  }

  nextPhase({next_phase_step: next}) {
    const phase = this.run.phases.find((each) => each.first_step === next);
    return `next${phase?.phase ? `: ${phase.phase},` : ' phase'} at step ${format.whole(next)}`;
  }

  timeline() {
    const {totalSteps, steps, phases} = this.run;
    const bar = this.bar('steps', steps, totalSteps);
    for (const phase of phases.slice(1, 20)) {
      const mark = element(
          'span', {class: 'phase-mark', title: `${phase.phase ?? 'phase'}, from step ${format.whole(phase.first_step)}`});
      mark.style.left = `${100 * phase.first_step / Math.max(totalSteps, 1)}%`;
      bar.append(mark);
    }
    return bar;
  }

  evaluation() {
    const {evaluated, to_evaluate: all} = this.run.part('status');
    if (this.run.state !== 'evaluating' || !format.known(evaluated) || !(all > 0)) return null;
    return element(
        'div', {class: 'evaluating'},
        element('p', {class: 'detail'}, `evaluating: ${format.whole(evaluated)} of ${format.whole(all)} images`),
        this.bar('images', evaluated, all));
  }

  bar(what, done, all) {
    const filled = element('span', {class: 'filled'});
    filled.style.width = `${100 * Math.min(Math.max(done / Math.max(all, 1), 0), 1)}%`;
    return element(
        'div', {
          class: 'bar',
          role: 'progressbar',
          'aria-label': what,
          'aria-valuemin': 0,
          'aria-valuemax': all,
          'aria-valuenow': done
        },
        filled);
  }
}
