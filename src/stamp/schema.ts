// The shape of stamp.yaml, declared once: validator, types, JSON Schema and the reference page all come from here.
// Unknown keys are errors. What needs more than one field to judge (edges, references between sections) is in rules.ts.

import { z } from 'zod';
import { parseDuration } from '#base';

const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9 and "-", starting with a letter or digit');

/** A duration as written (`15m`); `milliseconds()` of this folder turns it into a number. */
const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'must be a duration such as 200ms, 3s, 15m or 1h30m')
  .meta({ pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$' });

/** Where a secret value comes from; the value itself never stands in the stamp. */
const secretReference = z
  .string()
  .regex(
    /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|key-vault:[0-9a-zA-Z-]+)$/,
    'must be env:NAME, file:PATH or key-vault:NAME; a secret value never stands in the stamp',
  );

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

const containerName = z
  .string()
  .regex(/^[a-z0-9](-?[a-z0-9]){2,62}$/, 'must be a container name: 3 to 63 of a-z, 0-9 and single "-"');

const bySite = <T extends z.ZodType>(what: string, shape: T) => ({
  home: shape.describe(`${what} at home.`),
  partner: shape.describe(`${what} at the partner.`),
});

const listen = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: z.int().min(1).max(65_535).describe('TCP port to listen on.'),
  })
  .describe('Where the process itself listens.');

// ---- sites and control ----------------------------------------------------------------------------------------------

const site = z.strictObject({
  region: z.string().min(1).describe('Azure region name, for people and for residency.'),
  gateway: z
    .strictObject({
      url: httpUrl.describe("Where the front door and the controller reach this site's gateway and relay."),
      listen,
    })
    .describe("This site's gateway, which also relays telemetry."),
  journal: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .describe("Directory on a local disk; relative to the stamp's own folder. Never shared between sites."),
      ack: z
        .enum(['disk'])
        .default('disk')
        .describe(
          'What an answer waits for. `disk`: fdatasync done; survives a crash of process and operating system.',
        ),
      bytesMax: z
        .int()
        .min(1_048_576)
        .default(10_737_418_240)
        .describe('Bound of the journal on disk, bytes; at half of it a page goes out.'),
      segmentBytesMax: z
        .int()
        .min(65_536)
        .default(67_108_864)
        .describe('Size at which a segment is sealed and the next one opened, bytes.'),
    })
    .describe('The durable log of exchanges and relayed telemetry.'),
  identity: z
    .strictObject({
      publicKey: secretReference.describe('Ed25519 public key, PEM.'),
      privateKey: secretReference.describe('Ed25519 private key, PEM.'),
    })
    .describe("The site's own identity towards the controller."),
});

const control = z.strictObject({
  site: z
    .enum(['home', 'partner'])
    .default('partner')
    .describe('Where the controller and its ledger live; never the active region in normal times.'),
  url: httpUrl.describe('Where gateways and the command line reach the controller.'),
  listen,
  identity: z
    .strictObject({
      publicKey: secretReference.describe('Ed25519 public key, PEM.'),
      privateKey: secretReference.describe('Ed25519 private key, PEM.'),
    })
    .describe("The controller's own identity towards the sites."),
  ledger: z
    .strictObject({
      kind: z.literal('sqlite').default('sqlite').describe('`sqlite`: embedded, one controller and one file.'),
      file: z.string().min(1).describe("The ledger's file; relative to the stamp's own folder."),
    })
    .describe("The control plane's durable truth."),
  lease: z
    .strictObject({
      ttl: duration
        .default('15s')
        .describe(
          'How long a grant lasts without renewal, 1s to 5m: after an outage of this length the region stops acting.',
        ),
    })
    .default({ ttl: '15s' })
    .describe("The active region's right to act."),
  syncEvery: duration.default('5m').describe('How often the standby is brought up to date.'),
  evidence: z
    .strictObject({
      directory: z.string().min(1).describe("Where sealed evidence is written; relative to the stamp's own folder."),
      sealKey: secretReference.describe('Ed25519 private key that seals the evidence, PEM.'),
      sealKeyKind: z
        .enum(['lab', 'key'])
        .default('key')
        .describe('`lab`: made by the lab, seals verify only as lab evidence. `key`: a key of the organisation.'),
    })
    .describe('The signed record of each run.'),
});

// ---- dependencies ---------------------------------------------------------------------------------------------------

const common = {
  id: identifier.describe('Name of this dependency, unique in the stamp.'),
  after: z.array(identifier).default([]).describe('Ids of the dependencies that must be up first.'),
  deletions: z
    .enum(['report', 'propagate'])
    .default('report')
    .describe('`report`: what only the standby has is drift. `propagate`: it is deleted there by the next sync.'),
};

const identityDependency = z
  .strictObject({
    ...common,
    kind: z.literal('identity').describe('An identity of the workload in Microsoft Entra ID.'),
    ...bySite(
      'The identity',
      z.strictObject({
        authority: httpUrl.describe('Authority host, such as https://login.microsoftonline.com'),
        tenantId: z.string().min(1).describe('Tenant (directory) id.'),
        clientId: z.string().min(1).describe('Application (client) id.'),
        clientSecret: secretReference.describe('Client secret; not from a key vault, which this identity opens.'),
        scope: z.string().min(1).describe('The scope of the token that proves the identity works.'),
        caFile: z
          .string()
          .min(1)
          .optional()
          .describe('Extra CA certificate (PEM file) for this authority: private clouds and the lab.'),
      }),
    ),
  })
  .describe('A token is really fetched from the standby.');

const secretName = z.string().regex(/^[0-9a-zA-Z-]{1,127}$/, 'must be a Key Vault secret name: 0-9, a-z, A-Z and "-"');

const keyVaultDependency = z
  .strictObject({
    ...common,
    kind: z.literal('key-vault').describe('An Azure Key Vault at each site.'),
    identity: identifier.describe('Id of the identity dependency whose tokens open the vaults.'),
    ...bySite(
      'The vault',
      z.strictObject({ url: httpUrl.describe('Vault URL, such as https://name.vault.azure.net') }),
    ),
    secrets: z
      .array(z.string().regex(/^(\*|[0-9a-zA-Z-]{1,127})$/, 'must be a Key Vault secret name or "*"'))
      .min(1)
      .describe('Names carried; `*` carries every enabled secret.'),
    comparisonKey: secretName.describe(
      'Secret that holds the key under which values are compared; present in both vaults, never compared itself.',
    ),
  })
  .describe('Secrets travel from vault to vault in memory and are compared by HMAC.');

const storageDependency = z
  .strictObject({
    ...common,
    kind: z.literal('storage').describe('An Azure storage account at each site.'),
    ...bySite(
      'The account',
      z.strictObject({
        url: httpUrl.describe('Blob endpoint, such as https://account.blob.core.windows.net'),
        account: z.string().min(3).max(24).describe('Account name.'),
        accountKey: secretReference.describe('Account key.'),
      }),
    ),
    containers: z.array(containerName).min(1).describe('Blob containers carried.'),
    probeContainer: containerName
      .default('understudy-probe')
      .describe('Container for the write-read probe, outside the carried ones.'),
    blobBytesMax: z
      .int()
      .min(1)
      .default(16_777_216)
      .describe(
        'Blobs above this size, in bytes, are listed and not carried: object replication is the tool for them.',
      ),
  })
  .describe('Containers are compared, and a blob is written and read back.');

const databricksDependency = z
  .strictObject({
    ...common,
    kind: z.literal('databricks').describe('A Databricks workspace at each site.'),
    ...bySite(
      'The workspace',
      z.strictObject({
        url: httpUrl.describe('Workspace URL, such as https://adb-1234567890123456.7.azuredatabricks.net'),
        token: secretReference.describe('Access token of the service principal that replicates and releases.'),
      }),
    ),
    notebookRoots: z
      .array(z.string().startsWith('/', 'must be an absolute workspace path, starting with "/"'))
      .min(1)
      .describe('Workspace folders carried, with all that is below them.'),
    smokeJob: z
      .string()
      .min(1)
      .describe('Name of the job that gate-artifacts really starts in the standby. It must change nothing.'),
    doubleExecution: z
      .array(
        z.strictObject({
          job: z.string().min(1).describe('Name of the job.'),
          reason: z.string().min(8).describe('Why running twice does no harm.'),
        }),
      )
      .default([])
      .describe("Jobs whose double firing after a region's return a person has accepted beforehand, with the reason."),
    regionMap: z
      .array(
        z.strictObject({
          home: z.string().min(1).describe('Text as it stands at home.'),
          partner: z.string().min(1).describe('Text as it stands at the partner.'),
        }),
      )
      .default([])
      .describe('Text replaced on the way from home to partner, and back the other way: storage URLs, node types.'),
  })
  .describe('Notebooks, jobs and cluster policies are carried; carried jobs are held until a run releases them.');

const langfuseDependency = z
  .strictObject({
    ...common,
    kind: z.literal('langfuse').describe('A Langfuse at each site.'),
    ...bySite(
      'The project',
      z.strictObject({
        url: httpUrl.describe('Langfuse base URL.'),
        publicKey: z.string().min(1).describe('Public key of the project (pk-lf-…); not a secret.'),
        secretKey: secretReference.describe('Secret key of the project.'),
      }),
    ),
  })
  .describe('Every trace is shipped to both; prompts are carried with versions and labels.');

const modelDependency = z
  .strictObject({
    ...common,
    kind: z.literal('model').describe('The model endpoints.'),
    upstreams: z
      .array(identifier)
      .min(1)
      .describe('Upstreams that must be reachable from whichever site is about to answer.'),
  })
  .describe('Reached from the standby, through its own way out.');

const trafficDependency = z
  .strictObject({
    ...common,
    kind: z.literal('traffic').describe('The front door that clients call.'),
    publicUrl: httpUrl.describe('The address clients use.'),
    resourceManager: httpUrl.describe('Azure Resource Manager endpoint, such as https://management.azure.com'),
    originGroup: z
      .string()
      .startsWith('/subscriptions/', 'must be a resource id, starting with "/subscriptions/"')
      .describe('Resource id of the Front Door origin group.'),
    token: secretReference.describe('Token with the right to enable and disable origins.'),
    ...bySite('The origin', z.strictObject({ origin: z.string().min(1).describe('Name of the origin in the group.') })),
  })
  .describe('Traffic is moved by enabling one origin and disabling the other.');

export const dependencySchema = z.discriminatedUnion('kind', [
  identityDependency,
  keyVaultDependency,
  storageDependency,
  databricksDependency,
  langfuseDependency,
  modelDependency,
  trafficDependency,
]);

// ---- data plane -----------------------------------------------------------------------------------------------------

const upstream = z.strictObject({
  id: identifier.describe('Name of this upstream, unique in the stamp.'),
  kind: z
    .enum(['openai', 'openai-compatible'])
    .default('openai-compatible')
    .describe('Which interface the endpoint speaks; Azure OpenAI at its `/openai/v1` address is `openai-compatible`.'),
  url: httpUrl.describe('Base URL up to and including `/v1`.'),
  model: z.string().min(1).optional().describe('Model or deployment name sent upstream; absent: what the client sent.'),
  region: z.string().min(1).describe('Azure region, or another name for where the model runs.'),
  credential: secretReference.describe('API key sent as a bearer token.'),
  timeouts: z
    .strictObject({
      connect: duration.default('2s').describe('Until the connection stands.'),
      firstByte: duration.default('30s').describe("From the request's end to the answer's first byte."),
      idle: duration.default('30s').describe('Longest silence between two pieces of an answer.'),
    })
    .default({ connect: '2s', firstByte: '30s', idle: '30s' })
    .describe('How long each part of a call may take, within the route deadline.'),
  breaker: z
    .strictObject({
      failureRate: z
        .number()
        .gt(0)
        .max(1)
        .default(0.5)
        .describe('Opens when at least this share of the calls in the window failed.'),
      callsMin: z.int().min(1).default(10).describe('Calls in the window below which it never opens.'),
      window: duration.default('10s').describe('How far back calls are counted.'),
      openFor: duration.default('5s').describe('How long it stays open before one call is let through to try.'),
    })
    .default({ failureRate: 0.5, callsMin: 10, window: '10s', openFor: '5s' })
    .describe('Closes the rung while the upstream fails.'),
});

const rungUpstream = identifier.describe('Id of the upstream to call.');

const rung = z.discriminatedUnion('rung', [
  z
    .strictObject({ rung: z.literal('model').describe('The model of first choice.'), upstream: rungUpstream })
    .describe('The model of first choice.'),
  z
    .strictObject({
      rung: z.literal('other-region').describe('The same model in another region.'),
      upstream: rungUpstream,
    })
    .describe('The same model in another region than the `model` rung above it.'),
  z
    .strictObject({ rung: z.literal('backup').describe('A backup model.'), upstream: rungUpstream })
    .describe('A backup model, often cheaper or from another provider.'),
  z
    .strictObject({
      rung: z.literal('message').describe('A declared message; no model is called.'),
      text: z.string().min(1).describe('The answer given.'),
    })
    .describe('A declared message as a valid completion. Always the last rung.'),
]);

const route = z.strictObject({
  id: identifier.describe('Name of this route, unique in the stamp.'),
  models: z.array(z.string().min(1)).min(1).describe('Names clients put into `model`; each belongs to one route.'),
  ladder: z.array(rung).min(1).describe('What is tried, in order.'),
  deadline: duration.default('60s').describe('One deadline for the whole ladder.'),
  attemptsPerRungMax: z.int().min(1).max(5).default(2).describe('Attempts on one rung before the next is tried.'),
  retryWaitMax: duration.default('2s').describe("An upstream's wait header above this climbs instead of waiting."),
  capture: z
    .enum(['full', 'metadata'])
    .default('full')
    .describe('What the journal keeps of each exchange: `full` with bodies, `metadata` without.'),
  onJournalFailure: z
    .enum(['refuse', 'answer'])
    .default('refuse')
    .describe('When the journal cannot be written: `refuse` with a clear error, or `answer` and count the gap.'),
  tools: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Name of the function, as clients send it.'),
        effect: z.enum(['read', 'write']).describe('`write`: calling it changes something.'),
      }),
    )
    .default([])
    .describe('Tools the route knows. Those with effect `write`, or not listed, are withheld in no-write mode.'),
  mode: z
    .enum(['normal', 'no-write'])
    .default('normal')
    .describe('`no-write` by declaration; otherwise only while the region holds no lease.'),
});

const client = z.strictObject({
  id: identifier.describe('Name of this client, unique in the stamp.'),
  tenant: identifier.describe('Whose data this is; no tenant ever sees an answer of another.'),
  keySha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits (SHA-256 of the key)')
    .describe('SHA-256 of the client key, lower-case hex: the key itself never stands in the stamp.'),
  routes: z.array(identifier).min(1).describe('Ids of the routes this client may use.'),
  rehearsal: z
    .boolean()
    .default(false)
    .describe('May use the rehearsal lane: faults on request, own breakers, traces in environment `understudy-drill`.'),
});

const gateway = z.strictObject({
  bodyBytesMax: z.int().min(1_024).default(10_485_760).describe('Largest request body accepted, bytes.'),
  captureBytesMax: z
    .int()
    .min(65_536)
    .default(33_554_432)
    .describe('Beyond this many bytes of an answer only length and digest are kept.'),
  concurrencyMax: z.int().min(1).default(1_000).describe('Requests in flight above which new ones are refused.'),
  upstreams: z.array(upstream).min(1).describe('Model deployments behind an OpenAI-style endpoint.'),
  routes: z.array(route).min(1).describe('Which models clients may ask for, and what answers them.'),
  clients: z.array(client).min(1).describe('Who may call.'),
});

// ---- people, targets, canary ----------------------------------------------------------------------------------------

const person = z.strictObject({
  id: identifier.describe('Name used in approvals and evidence, unique in the stamp.'),
  name: z.string().min(1).describe('Full name, for evidence.'),
  kind: z
    .enum(['lab', 'key'])
    .describe('`key`: a personal Ed25519 key. `lab`: made by the lab, its evidence verifies only as lab evidence.'),
  publicKey: secretReference.describe('Ed25519 public key, PEM.'),
  privateKey: secretReference
    .optional()
    .describe("Where this person's own machine keeps the private half; only read by the CLI acting as that person."),
  may: z
    .array(z.enum(['read', 'initiate', 'approve', 'operate']))
    .min(1)
    .describe('What this person may do: see views, start runs, approve them, resume or abort them.'),
});

const rpoTargets = z.strictObject({
  artifacts: duration.default('15m').describe('Notebooks, jobs, cluster policies.'),
  secrets: duration.default('15m').describe('Secrets.'),
  prompts: duration.default('15m').describe('Prompt versions and labels.'),
  storage: duration.default('15m').describe('Blobs.'),
  telemetry: duration.default('1m').describe('Traces of exchanges and relayed telemetry.'),
});

const targets = z.strictObject({
  rto: duration.default('90m').describe('Recovery time objective: from the incident to answers that are verified.'),
  rpo: rpoTargets
    .default({ artifacts: '15m', secrets: '15m', prompts: '15m', storage: '15m', telemetry: '1m' })
    .describe('Recovery point objective of each data set.'),
  gateMaxAge: duration.default('15m').describe('A gate older than this at approval time is run again.'),
  driftAllowance: z.int().min(0).default(0).describe('Artifacts that may differ when a run passes its drift gates.'),
});

const approvalCount = z.int().min(1).max(5).default(2);

const approvals = z.strictObject({
  failover: approvalCount.describe(
    'People who must approve a failover; they differ from each other and the initiator.',
  ),
  failback: approvalCount.describe('The same for a failback.'),
  switchover: approvalCount.describe('The same for a switchover.'),
  expiry: duration.default('1h').describe('How long a signed approval stands.'),
});

const canaryPrompt = z.strictObject({
  id: identifier.describe('Name of this prompt, unique in the canary.'),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(['system', 'user', 'assistant']).describe('Who speaks.'),
        content: z.string().min(1).describe('What is said.'),
      }),
    )
    .min(1)
    .describe('The conversation sent.'),
  compare: z
    .enum(['exact', 'normalised', 'json'])
    .describe(
      '`exact`: equal bytes. `normalised`: equal after Unicode NFC, case and white space. `json`: equal canonical JSON.',
    ),
});

const canary = z.strictObject({
  route: identifier.describe('Id of the route asked.'),
  client: identifier.describe('Id of the client that asks; it has `rehearsal: true`.'),
  clientKey: secretReference.describe("That client's key."),
  prompts: z.array(canaryPrompt).min(1).describe('What is asked.'),
  baseline: z
    .string()
    .min(1)
    .describe(
      "File of recorded outputs, written by `understudy sync --record-canary`; relative to the stamp's folder.",
    ),
});

// ---- the whole ------------------------------------------------------------------------------------------------------

/** Steps of the default runbook; the same ids stand in runs, evidence and `azureDurations`. */
export const stepIds = [
  'declare',
  'gate-artifacts',
  'gate-secrets',
  'gate-telemetry',
  'gate-egress',
  'gate-canary',
  'gate-fallback',
  'approval',
  'fence',
  'final-delta',
  'traffic',
  'schedules',
  'watch',
] as const;
export type StepId = (typeof stepIds)[number];

export const stampSchema = z.strictObject({
  apiVersion: z.literal('understudy/v1').describe('Version of this format.'),
  name: identifier.describe('Name of the stamp.'),
  description: z.string().optional().describe('For people.'),
  control: control.describe('The controller: ledger, lease, sync, evidence.'),
  sites: z
    .strictObject({
      home: site.describe('The site that is active in normal times.'),
      partner: site.describe('The site that takes over.'),
    })
    .describe('The two declared sites. They are never renamed; what changes is their role.'),
  dependencies: z.array(dependencySchema).min(1).describe('What the workload stands on, one of each kind.'),
  gateway: gateway.describe('The data plane: upstreams, routes, clients.'),
  people: z.array(person).min(1).describe('Who may start, approve and operate runs.'),
  approvals: approvals
    .default({ failover: 2, failback: 2, switchover: 2, expiry: '1h' })
    .describe('How many people must approve each kind of run.'),
  targets: targets
    .default({
      rto: '90m',
      rpo: { artifacts: '15m', secrets: '15m', prompts: '15m', storage: '15m', telemetry: '1m' },
      gateMaxAge: '15m',
      driftAllowance: 0,
    })
    .describe('What recovery must achieve.'),
  canary: canary.describe('Prompts asked in the standby before traffic moves.'),
  azureDurations: z
    .partialRecord(z.enum(stepIds), duration)
    .default({})
    .describe('What each step is expected to take in Azure: printed beside every lab time.'),
});

export type Stamp = z.infer<typeof stampSchema>;
export type Dependency = Stamp['dependencies'][number];
export type DependencyKind = Dependency['kind'];
export type DependencyOf<K extends DependencyKind> = Extract<Dependency, { kind: K }>;
export type Upstream = Stamp['gateway']['upstreams'][number];
export type Route = Stamp['gateway']['routes'][number];
export type Rung = Route['ladder'][number];
export type Client = Stamp['gateway']['clients'][number];
export type Person = Stamp['people'][number];
export type CanaryPrompt = Stamp['canary']['prompts'][number];
