/** What every report says of itself: `ok` is exit 0, `no` is 1, `incomplete` is 3. An operation that cannot answer throws. */
export interface Report {
  readonly status: "ok" | "no" | "incomplete";
}
