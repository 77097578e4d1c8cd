// Reads a FHIR R4 bundle from standard input and prints what the validator of the npm package "fhir" (Lantana) finds, as JSON.
const { createRequire } = require("node:module");
const { Fhir } = createRequire(require("node:path").join(__dirname, "../ui/web/package.json"))("fhir");
const bundle = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
// The validator does not go into a bundle's entries by their own types unless each is given to it; both are done.
const validator = new Fhir();
const all = [bundle, ...(bundle.entry || []).map((e) => e.resource)].map((r) => ({ of: r.resourceType, ...validator.validate(r, { errorOnUnexpected: true }) }));
process.stdout.write(JSON.stringify(all.flatMap((v) => v.messages.map((m) => ({ ...m, of: v.of, valid: v.valid })))));
