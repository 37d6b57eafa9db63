'use strict';

// Makes an element. Texts become text nodes and nothing else: what a run's files hold is never read as markup.
// Keys of `attributes`: `class`, `on` (listeners by event), `data`; any other is an attribute, left out where it is null or
// false.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'class') {
      made.className = value;
    } else if (key === 'on') {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (key === 'data') {
      Object.assign(made.dataset, value);
    } else {
      made.setAttribute(key, value === true ? '' : value);
    }
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

function replaceChildren(parent, ...children) {
  parent.replaceChildren();
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) parent.append(child);
  }
}

// A part of the page with a heading, which the navigation leads to.
function section(id, title, ...children) {
  return element('section', {id, 'aria-labelledby': `${id}-title`}, element('h2', {id: `${id}-title`}, title), ...children);
}

function notice(...text) {
  return element('p', {class: 'notice'}, ...text);
}

// Several buttons of which one is pressed.
function choice(label, options, chosen, changed) {
  const buttons = options.map(
      ([value, text]) => element(
          'button', {
            type: 'button',
            'aria-pressed': String(value === chosen),
            on: {click: () => press(value)},
          },
          text));
  const press = (value) => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(options[i][0] === value)));
    changed(value);
  };
  return element('div', {class: 'choice', role: 'group', 'aria-label': label}, ...buttons);
}

function checkbox(label, checked, changed) {
  const box = element('input', {type: 'checkbox', checked, on: {change: () => changed(box.checked)}});
  return element('label', {class: 'check'}, box, label);
}

// A mark of a state: in words and in form, not by its colour alone.
function badge(name, kind = name) {
  return element('span', {class: `badge badge-${kind}`}, name);
}
