// Writes ../dist: styles and scripts under names that carry a hash of their content, and manifest.json
// (plain name -> hashed name). Sources: src/ and three npm packages.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import rtlcss from 'rtlcss';
import { compile } from 'sass';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, '..', 'dist');
const modules = join(here, 'node_modules');
const nhsuk = join(modules, 'nhsuk-frontend', 'dist', 'nhsuk');
const read = (...path) => readFileSync(join(...path), 'utf8');
const version = (name) => JSON.parse(read(modules, name, 'package.json')).version;

mkdirSync(dist, { recursive: true });
for (const name of readdirSync(dist)) {
  if (name !== '.gitkeep') rmSync(join(dist, name), { recursive: true });
}

const manifest = {};
function put(name, content) {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12);
  manifest[name] = name.replace(/(\.[a-z]+)$/, `-${hash}$1`);
  writeFileSync(join(dist, manifest[name]), content);
}

// The images keep their names, so the folder carries the version: it may be cached for ever.
const images = `nhsuk-${version('nhsuk-frontend')}`;

const styles = (name) => {
  const css = compile(join(here, 'src', name), { loadPaths: [modules], style: 'compressed', quietDeps: true })
    .css.replaceAll('/static/nhsuk/', `/static/${images}/`);
  if (/@font-face|assets\.nhs\.uk|https?:\/\/(?!www\.w3\.org)/.test(css)) {
    throw new Error('the styles must not reach for anything outside this site');
  }
  return css;
};
const desk = styles('desk.scss');
const patient = styles('patient.scss');
put('desk.css', desk);
put('patient.css', patient);
mkdirSync(join(dist, images, 'images'), { recursive: true });
for (const [, name] of (desk + patient).matchAll(/\/images\/([\w-]+\.\w+)/g)) {
  cpSync(join(nhsuk, 'assets', 'images', name), join(dist, images, 'images', name));
}
// Arrows that are cut out by clip-path, which rtlcss does not turn.
const arrows = `[dir=rtl] .nhsuk-back-link::before{transform:rotate(45deg)}
[dir=rtl] .nhsuk-details:not([open])>.nhsuk-details__summary::before{clip-path:polygon(100% 0,0 50%,100% 100%)}`;
put('patient-rtl.css', rtlcss.process(patient) + arrows);

put('nhsuk.js', read(nhsuk, `nhsuk-frontend-${version('nhsuk-frontend')}.min.js`).replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n'));
put('init.js', read(here, 'src', 'init.js').replace('./nhsuk.js', `./${manifest['nhsuk.js']}`));
put('boot.js', read(here, 'src', 'boot.js'));
put('htmx.js', read(modules, 'htmx.org', 'dist', 'htmx.min.js'));

const licences = ['nhsuk-frontend', 'htmx.org'].map((name) => {
  const file = readdirSync(join(modules, name)).find((f) => /^licen[cs]e/i.test(f));
  const { license } = JSON.parse(read(modules, name, 'package.json'));
  // nhsuk-frontend names its licence and leaves the text out of the package.
  const text = file ? read(modules, name, file) : read(here, 'src', `licence-${license}.txt`);
  return `${name} ${version(name)} (${license})\n\n${text}`;
});
put('licences.txt', licences.join('\n\n'));
writeFileSync(join(dist, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n');
console.log(`wrote ${Object.keys(manifest).length} files and the images to selfrefer/ui/dist`);
