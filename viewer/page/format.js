'use strict';

// Numbers as people read them. What is not known is a dash everywhere.
const format = (() => {
  const unknown = '–';
  const known = (value) => typeof value === 'number' && Number.isFinite(value);
  const grouped = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});
  const orElse = (write) => (value) => known(value) ? write(value) : unknown;

  // 0.001234 and 1234567 alike in about so many digits.
  const significant = (value, digits = 4) => {
    if (!known(value)) return unknown;
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(Math.max(0, digits - 2));
    return size >= 10 ** digits ? grouped.format(value) : String(Number(value.toPrecision(digits)));
  };

  const metric = (value, digits = 3) => {
    if (!known(value)) return unknown;
    const units = [[1e12, '\u00a0T'], [1e9, '\u00a0G'], [1e6, '\u00a0M'], [1e3, '\u00a0k']];
    const unit = units.find(([size]) => Math.abs(value) >= size);
    return unit ? Number((value / unit[0]).toPrecision(digits)) + unit[1] : String(Number(value.toPrecision(digits)));
  };

  const duration = orElse((seconds) => {
    if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)}\u00a0s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${Math.floor(seconds / 60)}\u00a0min ${Math.floor(seconds % 60)}\u00a0s`;
    if (minutes < 60 * 48) return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
    return `${Math.floor(minutes / 1440)}\u00a0d ${Math.floor(minutes % 1440 / 60)}\u00a0h`;
  });

  const share = (value, digits = 1) => known(value) ? `${(100 * value).toFixed(digits)}\u00a0%` : unknown;

  return {
    unknown,
    known,
    significant,
    metric,
    duration,
    whole: orElse((value) => grouped.format(value)),
    percent: (value) => share(value, 2),
    share,
    tick: (value) => known(value) ? `${Number((100 * value).toPrecision(3))}\u00a0%` : unknown,
    // A clip rate is often a few in a hundred thousand, which must not look like none.
    rate: (value) => known(value) && value > 0 && value < 5e-4 ? `${(100 * value).toPrecision(2)}\u00a0%` : share(value, 2),
    time: orElse((seconds) => new Date(1000 * seconds).toISOString().replace('T', ' ').slice(0, 19) + ' UTC'),
    bytes: orElse(
        (bytes) => bytes < 1024 ? `${bytes} B` :
            bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` :
                              `${(bytes / (1 << 20)).toFixed(1)} MiB`),
    shape: (extents) => Array.isArray(extents) ? extents.map((extent) => extent ?? '?').join(' × ') : unknown,
    text: (value) => typeof value === 'string' && value !== '' ? value : unknown,
  };
})();
