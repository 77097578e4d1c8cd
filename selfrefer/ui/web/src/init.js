import { initAll } from './nhsuk.js';

initAll();

// The page that is left quickly should not be one step back in the history.
for (const link of document.querySelectorAll('[data-wp-leave]')) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    window.location.replace(link.href);
  });
}
