'use strict';

// Colours, from the style sheet, so that they follow the scheme of the system. Those of curves are told apart by people who see
// red and green alike (after Okabe and Ito), and curves differ in dashes and points as well.
const palette = (() => {
  const curves = 8;
  const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const ramp = () => [0, 1, 2, 3, 4].map((i) => rgb(read(`--ramp-${i}`)));

  // A function from 0..1 to a colour; lightness alone rises or falls with it.
  const scale = () => {
    const stops = ramp();
    return (share) => {
      const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
      const i = Math.min(Math.floor(at), stops.length - 2);
      const mixed = stops[i].map((from, c) => Math.round(from + (stops[i + 1][c] - from) * (at - i)));
      return {rgb: mixed, css: `rgb(${mixed.join(', ')})`, isDark: 0.3 * mixed[0] + 0.59 * mixed[1] + 0.11 * mixed[2] < 140};
    };
  };

  const withAlpha = (hex, alpha) => `rgba(${rgb(hex).join(', ')}, ${alpha})`;

  return {
    read,
    rgb,
    scale,
    withAlpha,
    curve: (index) => read(`--curve-${index % curves}`),
    // Beyond the number of colours the next round of them is dashed.
    dash: (index) => [[], [6, 3], [2, 2], [8, 3, 2, 3]][Math.floor(index / curves) % 4],
  };
})();
