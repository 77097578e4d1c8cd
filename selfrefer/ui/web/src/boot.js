// The first thing in the body: marks that scripts run, before anything is drawn, and before init.js looks for the mark.
document.body.className += ' js-enabled' +
  ('noModule' in HTMLScriptElement.prototype ? ' nhsuk-frontend-supported' : '');
