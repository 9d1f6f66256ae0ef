// The lab's stamp: an ordinary stamp file, with loopback addresses where yours has Azure's.

import { clientId, labModel, labPeople, labRegions, originGroup, tenantId, type Layout } from './layout.ts';

export function stampText(layout: Layout): string {
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const port: Layout['port'] = (area, name) => layout.port(area, name);
  const sharedPort: Layout['sharedPort'] = (name) => layout.sharedPort(name);
  const site = (name: 'home' | 'partner'): string => `  ${name}:
    region: ${labRegions[name]}
    gateway:
      url: ${url(port(name, 'gateway'))}
      listen: { port: ${port(name, 'gateway')} }
    journal: { directory: ${name}/journal, ack: disk }
    identity: { publicKey: 'file:keys/${name}.pub.pem', privateKey: 'file:keys/${name}.pem' }
`;
  const identity = (name: 'home' | 'partner'): string => `    ${name}:
      authority: https://127.0.0.1:${sharedPort('identity')}
      tenantId: ${tenantId}
      clientId: ${clientId[name]}
      clientSecret: file:secrets/identity-${name}
      scope: https://vault.azure.net/.default
      caFile: data/identity/ca.pem
`;
  const storage = (name: 'home' | 'partner'): string =>
    `    ${name}: { url: '${url(port(name, 'storage'))}/stlab${name}', account: stlab${name}, accountKey: 'file:secrets/storage-${name}' }`;
  return `# The stamp of the lab. Copy it, put your own addresses in, and run \`understudy check stamp.yaml\`.
apiVersion: understudy/v1
name: lab
description: A support assistant in two regions, on one machine.

control:
  site: partner
  url: ${url(sharedPort('controller'))}
  listen: { port: ${sharedPort('controller')} }
  ledger: { kind: sqlite, file: partner/ledger.sqlite }
  lease: { ttl: 3s }
  identity: { publicKey: 'file:keys/control.pub.pem', privateKey: 'file:keys/control.pem' }
  syncEvery: 5s
  evidence: { directory: partner/evidence, sealKey: 'file:keys/seal.pem', sealKeyKind: lab }

sites:
${site('home')}${site('partner')}
dependencies:
  - id: identity
    kind: identity
${identity('home')}${identity('partner')}
  - id: key-vault
    kind: key-vault
    after: [identity]
    identity: identity
    secrets: ['*']
    comparisonKey: understudy-comparison-key
    home: { url: '${url(port('home', 'keyVault'))}' }
    partner: { url: '${url(port('partner', 'keyVault'))}' }

  - id: storage
    kind: storage
    after: [identity]
    containers: [features, prompt-archive]
${storage('home')}
${storage('partner')}

  - id: databricks
    kind: databricks
    after: [key-vault, storage]
    deletions: propagate
    notebookRoots: [/Stamp]
    smokeJob: smoke
    home: { url: '${url(port('home', 'databricks'))}', token: 'file:secrets/databricks-home' }
    partner: { url: '${url(port('partner', 'databricks'))}', token: 'file:secrets/databricks-partner' }
    regionMap:
      - { home: stlabhome, partner: stlabpartner }
      - { home: Standard_DS3_v2, partner: Standard_D4s_v5 }

  - id: langfuse
    kind: langfuse
    after: [storage]
    home: { url: '${url(port('home', 'langfuse'))}', publicKey: pk-lf-lab, secretKey: 'file:secrets/langfuse-secret' }
    partner: { url: '${url(port('partner', 'langfuse'))}', publicKey: pk-lf-lab, secretKey: 'file:secrets/langfuse-secret' }

  - id: model
    kind: model
    after: [key-vault]
    upstreams: [chat-home, chat-partner, chat-backup]

  - id: traffic
    kind: traffic
    after: [databricks, langfuse, model]
    publicUrl: ${url(sharedPort('frontDoor'))}
    resourceManager: ${url(sharedPort('resourceManager'))}
    originGroup: ${originGroup}
    token: file:secrets/resource-manager-token
    home: { origin: home }
    partner: { origin: partner }

gateway:
  upstreams:
    - id: chat-home
      url: ${url(sharedPort('modelHome'))}/v1
      model: gpt-lab-1
      region: ${labRegions.home}
      credential: file:secrets/model-key
      timeouts: { connect: 1s, firstByte: 5s, idle: 5s }
    - id: chat-partner
      url: ${url(sharedPort('modelPartner'))}/v1
      model: gpt-lab-1
      region: ${labRegions.partner}
      credential: file:secrets/model-key
      timeouts: { connect: 1s, firstByte: 5s, idle: 5s }
    - id: chat-backup
      url: ${url(sharedPort('modelBackup'))}/v1
      model: small-lab-1
      region: ${labRegions.home}
      credential: file:secrets/backup-key
      timeouts: { connect: 1s, firstByte: 5s, idle: 5s }
  routes:
    - id: support
      models: [${labModel}]
      deadline: 20s
      ladder:
        - { rung: model, upstream: chat-home }
        - { rung: other-region, upstream: chat-partner }
        - { rung: backup, upstream: chat-backup }
        - { rung: message, text: 'The assistant is not available right now. Your request was not processed.' }
      tools:
        - { name: lookup_order, effect: read }
        - { name: refund_order, effect: write }
  clients:
    - { id: application, tenant: support, routes: [support], keySha256: ${layout.secretSha256('application-key')} }
    - { id: canary, tenant: understudy, routes: [support], rehearsal: true, keySha256: ${layout.secretSha256('canary-key')} }

people:
${labPeople.map((person) => `  - { id: ${person}, name: ${person[0]?.toUpperCase()}${person.slice(1)}, kind: lab, publicKey: 'file:keys/${person}.pub.pem', privateKey: 'file:keys/${person}.pem', may: [read, initiate, approve, operate] }`).join('\n')}

approvals: { failover: 2, failback: 2, switchover: 2, expiry: 1h }

targets:
  rto: 30m
  rpo: { artifacts: 5m, secrets: 5m, prompts: 5m, storage: 5m, telemetry: 2m }
  gateMaxAge: 10m

canary:
  route: support
  client: canary
  clientKey: file:secrets/canary-key
  baseline: canary-baseline.json
  prompts:
    - { id: word, compare: exact, messages: [{ role: user, content: Reply with the word understudy. }] }
    - { id: sum, compare: normalised, messages: [{ role: user, content: What is 17 + 25 * 2? }] }
    - { id: fields, compare: json, messages: [{ role: user, content: 'Give the fields as JSON: order=4711, city="Lyon", paid=true' }] }
    - { id: sorted, compare: normalised, messages: [{ role: user, content: 'Sort these words alphabetically: pear, apple, fig' }] }
    - { id: upper, compare: exact, messages: [{ role: user, content: 'Write in upper case: no trace is lost' }] }

# What each step is expected to take in Azure; printed beside every time measured here.
azureDurations:
  declare: 1m
  gate-artifacts: 8m
  gate-secrets: 1m
  gate-telemetry: 1m
  gate-egress: 2m
  gate-canary: 2m
  gate-fallback: 2m
  approval: 10m
  fence: 1m
  final-delta: 3m
  traffic: 4m
  schedules: 2m
  watch: 5m
`;
}
