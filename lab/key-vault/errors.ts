// Refusals of the simulated vault in the vendor's shape: `{error: {code, message, innererror?: {code}}}`.
// Source: learn.microsoft.com/azure/key-vault/general/rest-error-codes and the recovery behaviour of soft delete.

export class VaultRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly inner: string | undefined;

  constructor(status: number, code: string, message: string, inner?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.inner = inner;
  }

  body(): Record<string, unknown> {
    const inner = this.inner === undefined ? {} : { innererror: { code: this.inner } };
    return { error: { code: this.code, message: this.message, ...inner } };
  }
}

export const badParameter = (message: string): VaultRefusal => new VaultRefusal(400, 'BadParameter', message);

export const secretNotFound = (name: string): VaultRefusal =>
  new VaultRefusal(
    404,
    'SecretNotFound',
    `A secret with (name/id) ${name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command.`,
  );

export const deletedNotFound = (name: string): VaultRefusal =>
  new VaultRefusal(404, 'SecretNotFound', `Deleted Secret not found: ${name}`);

export const conflict = {
  recoverable: (name: string): VaultRefusal =>
    new VaultRefusal(
      409,
      'Conflict',
      `Secret ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`,
      'ObjectIsDeletedButRecoverable',
    ),
  beingDeleted: (name: string): VaultRefusal =>
    new VaultRefusal(409, 'Conflict', `Secret ${name} is currently being deleted.`, 'ObjectIsBeingDeleted'),
  beingRecovered: (name: string): VaultRefusal =>
    new VaultRefusal(
      409,
      'Conflict',
      `Secret ${name} is currently being recovered and cannot be changed.`,
      'ObjectIsBeingRecovered',
    ),
};

export const disabled = (): VaultRefusal =>
  new VaultRefusal(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
export const expired = (): VaultRefusal =>
  new VaultRefusal(403, 'Forbidden', 'Operation get is not allowed on an expired secret.', 'SecretExpired');
export const notYetValid = (): VaultRefusal =>
  new VaultRefusal(403, 'Forbidden', 'Operation get is not allowed before the secret is valid.', 'SecretNotYetValid');

export const forbiddenByRbac = (client: string, action: string): VaultRefusal =>
  new VaultRefusal(
    403,
    'Forbidden',
    `Caller is not authorized to perform action on resource.\r\nCaller: appid=${client}\r\nAction: 'Microsoft.KeyVault/vaults/secrets/${action}/action'`,
    'ForbiddenByRbac',
  );

/** Microsoft-managed failover leaves a vault read-only for as long as it lasts. The status is inferred, not recorded. */
export const readOnly = (): VaultRefusal =>
  new VaultRefusal(403, 'Forbidden', 'The vault is in read-only mode during failover.', 'VaultReadOnly');
