/** Requests that a client may send again: carried out once, and answered alike. */

/** The body that was answered. It has no secret in it: the table is no place for one. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface KeyedRequest {
  /** who sends it: a key of one caller means nothing for another */
  readonly caller: string;
  /** as the client has chosen it */
  readonly key: string;
  /** everything that distinguishes it from another request */
  readonly parts: readonly string[];
  readonly decision_id: string;
}

export interface Begun {
  /** Keeps the answer. */
  answered(answer: Answer): Promise<void>;
  /** Nothing was changed, and the request may be sent again with the same key. */
  forget(): Promise<void>;
}

export interface Idempotency {
  /**
   * @returns the answer of the first request with this key, or what its own answer is kept with
   * @throws SluiceError `idempotency_key_reused` where the first was another request; `idempotency_pending` while it is being carried out;
   *   `idempotency_unknown` where it never ended; `store_unavailable`
   */
  begin(request: KeyedRequest): Promise<{ readonly replay: Answer } | Begun>;
}
