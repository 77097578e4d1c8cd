// Passkeys: the one thing of the desks that needs a script. A form with data-wp-passkey shows up where the browser can; when it is sent,
// data-begin gives the question, the browser asks its owner, and the answer goes with the form.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const ids = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));

async function make(o) {
  const made = await navigator.credentials.create({ publicKey: { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: ids(o.excludeCredentials) } });
  const r = made.response;
  return { id: made.id, rawId: text(made.rawId), type: made.type, response: { attestationObject: text(r.attestationObject), clientDataJSON: text(r.clientDataJSON), transports: r.getTransports?.() ?? [] } };
}

async function show(o) {
  const shown = await navigator.credentials.get({ publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: ids(o.allowCredentials) } });
  const r = shown.response;
  return { id: shown.id, rawId: text(shown.rawId), type: shown.type, response: { authenticatorData: text(r.authenticatorData), clientDataJSON: text(r.clientDataJSON), signature: text(r.signature), userHandle: r.userHandle && text(r.userHandle) } };
}

for (const form of document.querySelectorAll('form[data-wp-passkey]')) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  const said = form.querySelector('[role=alert]');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    said.textContent = '';
    try {
      const question = await fetch(form.dataset.begin, { method: 'POST' });
      if (!question.ok || question.redirected) throw new Error();
      const { publicKey } = await question.json();
      form.elements.credential.value = JSON.stringify(await (form.dataset.wpPasskey === 'make' ? make(publicKey) : show(publicKey)));
    } catch (error) {
      said.textContent = error.name === 'SecurityError' ? 'Passkeys do not work at this address. Open this site by its name instead.'
        : error.name === 'InvalidStateError' ? 'There is a passkey of yours on this device already.'
          : error.name === 'NotAllowedError' ? 'No passkey was used. Try again, or choose another way.'
            : 'That did not work. Load the page again, then try once more.';
      return;
    }
    form.submit();
  });
}
