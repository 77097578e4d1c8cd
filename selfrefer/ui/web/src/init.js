import { initAll } from './nhsuk.js';

initAll();

// The page that is left quickly should not be one step back in the history.
for (const link of document.querySelectorAll('[data-wp-leave]')) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    window.location.replace(link.href);
  });
}

// A number that is tried out gets a slider. The field stays what is read out, reached by keyboard and sent.
for (const field of document.querySelectorAll('[data-wp-slider]')) {
  const slider = document.createElement('input');
  const set = () => { slider.value = field.value.replaceAll(',', '') || slider.max; };
  [slider.min, slider.max, slider.step] = field.dataset.wpSlider.split(' ');
  slider.type = 'range';
  slider.className = 'wp-slider';
  slider.tabIndex = -1;
  slider.setAttribute('aria-hidden', 'true');
  set();
  field.addEventListener('input', set);
  slider.addEventListener('input', () => { field.value = slider.value; });
  slider.addEventListener('change', () => { field.dispatchEvent(new Event('change', { bubbles: true })); });
  (field.closest('.nhsuk-input-wrapper') ?? field).after(slider);
}
