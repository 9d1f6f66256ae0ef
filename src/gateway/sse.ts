// Server-sent events over raw bytes, safe at any split: an event is found by its line ends, which are single bytes in
// UTF-8, and only whole events are decoded. U+2028 and U+2029 end no line (WHATWG HTML §9.2.6).

const lineFeed = 10;
const carriageReturn = 13;

/** An event larger than this is not one. */
export const eventBytesMax = 4_194_304;

/** Splits a stream of chunks into events. The bytes of all events and of the rest, in order, are the stream's bytes. */
export class EventSplitter {
  #parts: Buffer[] = [];
  #bytes = 0;
  #lineLength = 0;
  #hasLine = false;
  #afterCarriageReturn = false;

  /** Calls `onEvent` with each event that the chunk completes, blank line included. False when one is too large. */
  push(chunk: Buffer, onEvent: (bytes: Buffer) => void): boolean {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === lineFeed && this.#afterCarriageReturn) {
        // The second half of CR LF: its line has ended already.
        this.#afterCarriageReturn = false;
        continue;
      }
      this.#afterCarriageReturn = byte === carriageReturn;
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#lineLength++;
        continue;
      }
      const blank = this.#lineLength === 0;
      this.#lineLength = 0;
      if (!blank) this.#hasLine = true;
      else if (this.#hasLine) {
        // The line feed of a CR LF goes with its event when it is here already; nobody waits for it.
        if (this.#afterCarriageReturn && chunk[at + 1] === lineFeed) {
          this.#afterCarriageReturn = false;
          at++;
        }
        onEvent(this.#take(chunk.subarray(start, at + 1)));
        start = at + 1;
      }
    }
    return this.#keep(chunk.subarray(start));
  }

  /** What is left when the stream has ended: an event without its blank line, or nothing. */
  rest(): Buffer {
    const rest = Buffer.concat(this.#parts);
    this.#reset();
    return rest;
  }

  #take(last: Buffer): Buffer {
    const event = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#reset();
    return event;
  }

  #keep(rest: Buffer): boolean {
    if (rest.length === 0) return true;
    this.#parts.push(rest);
    this.#bytes += rest.length;
    // Many tiny chunks of one event: join them now and then, so that the list stays short.
    if (this.#parts.length > 64) this.#parts = [Buffer.concat(this.#parts)];
    return this.#bytes <= eventBytesMax;
  }

  #reset(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#hasLine = false;
  }
}

export interface ServerSentEvent {
  /** The event's name; absent for the default `message`. */
  readonly name?: string;
  /** Joined data lines; absent when the event has none (comments, heartbeats). */
  readonly data?: string;
}

/** Reads the fields of one whole event. */
export function readEvent(bytes: Buffer): ServerSentEvent {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  let name: string | undefined;
  let data: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line.startsWith('data')) {
      const value = fieldValue(line, 'data');
      if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`;
    } else if (line.startsWith('event')) {
      name = fieldValue(line, 'event') ?? name;
    }
  }
  return { ...(name === undefined ? {} : { name }), ...(data === undefined ? {} : { data }) };
}

/** The value of `field: value`; undefined when the line is another field that only begins alike. */
function fieldValue(line: string, field: string): string | undefined {
  if (line.length === field.length) return '';
  if (line.charCodeAt(field.length) !== 58) return undefined;
  const start = field.length + 1;
  return line.slice(line.charCodeAt(start) === 32 ? start + 1 : start);
}
