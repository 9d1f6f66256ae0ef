// How a workspace says no: `{error_code, message}` with the status the real service uses. Sources: the Databricks REST
// reference (status codes and error codes per operation), databricks-sdk-py #591 (a missing job is a 400
// INVALID_PARAMETER_VALUE) and the test server in databricks/cli (what a run reports when a task fails).

export class ApiError extends Error {
  readonly status: number;
  readonly errorCode: string | number;

  constructor(status: number, errorCode: string | number, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

export function invalid(message: string): ApiError {
  return new ApiError(400, 'INVALID_PARAMETER_VALUE', message);
}

export function malformed(message: string): ApiError {
  return new ApiError(400, 'MALFORMED_REQUEST', message);
}

export function missing(message: string): ApiError {
  return new ApiError(404, 'RESOURCE_DOES_NOT_EXIST', message);
}

export function alreadyExists(message: string): ApiError {
  return new ApiError(400, 'RESOURCE_ALREADY_EXISTS', message);
}

/** jobs/… and runs/… answer a missing id with 400 and this sentence; official clients match on it. */
export function noSuchJob(jobId: string): ApiError {
  return invalid(`Job ${jobId} does not exist.`);
}

export function noSuchRun(runId: string): ApiError {
  return invalid(`Run ${runId} does not exist.`);
}
