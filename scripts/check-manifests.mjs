// Checks deploy/kubernetes as far as that goes without a cluster and without kustomize: each resource against the schemas of
// Kubernetes' API, which the package kubernetes-models ships, also for fields they do not know; then what belongs
// together: selectors, names, secrets, settings, times. Patches are checked as far as they say what they are about.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { parseAllDocuments } from 'yaml';
import { SETTING_NAMES } from '../dist/src/config/settings.js';

const require = createRequire(import.meta.url);
const ROOT = join(import.meta.dirname, '../deploy/kubernetes');
const BASE = join(ROOT, 'base');
const OVERLAY = join(ROOT, 'overlays/example');
/** What a shutdown may take beyond its grace, as src/service.ts has it. */
const CLOSE_SECONDS = 5;

const faults = [];
const check = (isRight, fault) => void (isRight || faults.push(fault));

function report() {
  for (const fault of faults) console.error(fault);
  console.log(
    faults.length === 0
      ? `${all.length} Kubernetes resources are as they should be`
      : `${faults.length} faults`,
  );
  process.exit(faults.length === 0 ? 0 : 1);
}

const read = (directory, file) =>
  parseAllDocuments(readFileSync(join(directory, file), 'utf8')).map((document) => {
    for (const { message } of document.errors) faults.push(`${file}: ${message}`);
    return document.toJS();
  });

/** The schema of a resource, as a function that fills in `errors`. */
function schemaOf({ apiVersion, kind }) {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const path = ['kubernetes-models', group, version, kind].filter(Boolean).join('/');
  return require(path)[kind];
}

/**
 * Fields that no schema knows. Kubernetes' own schemas let them pass, and a typo with them; but the generated validators
 * read every field they know, so what is there and was never read is unknown.
 */
function watched(value, path, unread) {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Array.isArray(value) ? [] : {};
  for (const [name, part] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`;
    const seen = watched(part, place, unread);
    if (!Array.isArray(value)) unread.add(place);
    Object.defineProperty(copy, name, {
      enumerable: true,
      get: () => {
        unread.delete(place);
        return seen;
      },
    });
  }
  return copy;
}

function checkSchema(resource, file) {
  const name = `${file}: ${resource.kind} ${resource.metadata?.name}`;
  let Model;
  try {
    Model = schemaOf(resource);
  } catch {
    faults.push(`${name}: there is no ${resource.kind} in ${resource.apiVersion}`);
    return;
  }
  try {
    new Model(resource).validate();
  } catch (error) {
    faults.push(`${name}: ${error.message}`);
    return;
  }
  const unread = new Set();
  const model = new Model({});
  for (const key of Object.keys(model)) delete model[key];
  const copy = watched(resource, '', unread);
  Object.defineProperties(model, Object.getOwnPropertyDescriptors(copy));
  model.validate();
  for (const place of unread) faults.push(`${name}: unknown field ${place.slice(1)}`);
}

/** The resources of a kustomization, and that it names every file beside it. */
function resourcesOf(directory, others = []) {
  const [kustomization] = read(directory, 'kustomization.yaml');
  const patches = (kustomization.patches ?? []).map(({ path }) => path);
  const files = kustomization.resources.filter((name) => name.endsWith('.yaml'));
  const there = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
  const named = ['kustomization.yaml', ...files, ...patches, ...others];
  for (const file of there) check(named.includes(file), `${file} is named by no kustomization`);
  for (const file of named) check(there.includes(file), `${file} is not there`);
  const resources = files.flatMap((file) =>
    read(directory, file).map((resource) => {
      checkSchema(resource, file);
      return resource;
    }),
  );
  return { kustomization, resources, patches };
}

const base = resourcesOf(BASE);
const overlay = resourcesOf(OVERLAY, ['prometheus-adapter.yaml']);
const all = [...base.resources, ...overlay.resources];
const ofKind = (kind) => all.filter((resource) => resource.kind === kind);
const named = (kind, name) => ofKind(kind).find((resource) => resource.metadata.name === name);
const deployments = ofKind('Deployment');
const literals = Object.fromEntries(
  [base, overlay]
    .flatMap(({ kustomization }) => kustomization.configMapGenerator ?? [])
    .flatMap(({ literals: lines }) => lines)
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);
// What is not even a resource cannot be compared with others.
if (faults.length > 0) report();

const fits = (selector, labels) => Object.entries(selector).every(([name, value]) => labels[name] === value);

/** What holds for the pods of a Deployment and of a Job alike. */
function checkPod({ spec: pod, metadata: template }, say) {
  const [container] = pod.containers;
  const { securityContext, resources, envFrom } = container;
  check(pod.securityContext.runAsNonRoot === true && pod.securityContext.runAsUser > 0, say('runs as root'));
  check(securityContext.readOnlyRootFilesystem === true, say('its root can be written'));
  check(securityContext.allowPrivilegeEscalation === false, say('privileges can grow'));
  check(securityContext.capabilities.drop.includes('ALL'), say('keeps capabilities'));
  check(resources.requests.cpu && resources.requests.memory && resources.limits.memory, say('resources'));
  for (const policy of ofKind('NetworkPolicy'))
    check(fits(policy.spec.podSelector.matchLabels, template.labels), say('is under no network policy'));
  check(named('ServiceAccount', pod.serviceAccountName), say('its service account is not there'));
  for (const { configMapRef, secretRef } of envFrom)
    check(
      configMapRef
        ? base.kustomization.configMapGenerator.some(({ name }) => name === configMapRef.name)
        : named('Secret', secretRef.name),
      say('takes variables from what is not there'),
    );
}

check(deployments.length === 3, 'there are three roles');
for (const { metadata, spec } of deployments) {
  const { spec: pod, metadata: template } = spec.template;
  const [container] = pod.containers;
  const say = (fault) => `Deployment ${metadata.name}: ${fault}`;
  check(fits(spec.selector.matchLabels, template.labels), say('selects other pods than it makes'));
  for (const { labelSelector } of pod.topologySpreadConstraints)
    check(fits(labelSelector.matchLabels, template.labels), say('spreads other pods than its own'));
  const role = container.env.find(({ name }) => name === 'ENTOURAGE_ROLES').value;
  check(role === template.labels['app.kubernetes.io/component'], say('its role is not its component'));
  const { livenessProbe, readinessProbe, startupProbe } = container;
  check(livenessProbe.httpGet.path === '/api/v1/health/live', say('liveness'));
  check(startupProbe.httpGet.path === '/api/v1/health/live', say('startup'));
  check(readinessProbe.httpGet.path === '/api/v1/health/ready', say('readiness'));
  checkPod(spec.template, say);
  const stop =
    Number(container.lifecycle.preStop.exec.command[1]) +
    Number(literals.ENTOURAGE_SHUTDOWN_GRACE_SECONDS) +
    CLOSE_SECONDS;
  check(
    pod.terminationGracePeriodSeconds > stop,
    say(`is killed before the ${stop} s of its shutdown are over`),
  );
  const budget = ofKind('PodDisruptionBudget').filter((one) =>
    fits(one.spec.selector.matchLabels, template.labels),
  );
  check(budget.length === 1, say('has not exactly one disruption budget'));
}

// One Job migrates, with the service's own command, and nobody else does.
const jobs = ofKind('Job');
check(jobs.length === 1, 'there is one Job that migrates');
for (const { metadata, spec } of jobs) {
  const say = (fault) => `Job ${metadata.name}: ${fault}`;
  checkPod(spec.template, say);
  const [container] = spec.template.spec.containers;
  check(container.args.join(' ') === 'node dist/src/main.js migrate', say('does something else'));
  check(
    container.image === deployments[0].spec.template.spec.containers[0].image,
    say('is another version than what serves'),
  );
  check(['OnFailure', 'Never'].includes(spec.template.spec.restartPolicy), say('never ends'));
}
check(literals.ENTOURAGE_MIGRATE === 'false', 'what serves migrates beside the Job');

const [service] = ofKind('Service');
check(
  deployments.filter(({ spec }) => fits(service.spec.selector, spec.template.metadata.labels)).length === 1,
  'the Service leads to exactly one Deployment',
);
for (const { spec } of ofKind('Ingress'))
  for (const { http } of spec.rules)
    for (const { backend } of http.paths)
      check(named('Service', backend.service.name), `Ingress: there is no Service ${backend.service.name}`);
for (const { metadata, spec } of ofKind('HorizontalPodAutoscaler')) {
  const { kind, name } = spec.scaleTargetRef;
  check(named(kind, name), `HorizontalPodAutoscaler ${metadata.name}: there is no ${name}`);
  const { rules } = read(OVERLAY, 'prometheus-adapter.yaml')[0];
  for (const { external } of spec.metrics)
    check(
      external === undefined || rules.external.some((rule) => rule.name.as === external.metric.name),
      `HorizontalPodAutoscaler ${metadata.name}: no rule makes ${external?.metric.name}`,
    );
}
const [secret] = ofKind('Secret');
for (const name of [
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'ENTOURAGE_JWT_SECRET',
  'ENTOURAGE_ENCRYPTION_KEY',
])
  check(secret.stringData[name], `the Secret has no ${name}`);
for (const name of [...Object.keys(literals), ...Object.keys(secret.stringData)])
  check(SETTING_NAMES.includes(name), `${name} is not a variable of the service`);
for (const patch of overlay.patches)
  for (const { kind, metadata } of read(OVERLAY, patch).filter((one) => one.kind !== undefined))
    check(named(kind, metadata.name), `${patch}: there is no ${kind} ${metadata.name} to patch`);

report();
