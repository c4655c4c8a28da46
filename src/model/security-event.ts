/** Security events of other systems, as far as they take access away. */

/** What an event does to credentials. */
export interface SecurityEvent {
  /** the transmitter */
  readonly transmitter: string;
  /** `jti`: an event that is delivered twice counts once */
  readonly id: string;
  /** last part of the event type's URI, e.g. `session-revoked` */
  readonly type: string;
  /** null: it is no event about access, e.g. the verification of a stream */
  readonly revokes: {
    /** `subject.id` */
    readonly subject: string;
    /** issuer of the credentials */
    readonly issuer: string;
    /** milliseconds; null: all of them, from now on */
    readonly issued_before: number | null;
  } | null;
}

export interface SecurityEvents {
  /**
   * @param token compact JWS
   * @throws SluiceError `security_event_invalid`, `token_issuer_unknown`, `token_audience_mismatch`, `token_signature_invalid`,
   *   `token_key_unknown`, `token_algorithm_not_allowed`, `keys_unavailable`
   */
  verify(token: string): Promise<SecurityEvent>;
  close(): void;
}
