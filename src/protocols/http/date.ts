/**
 * Date fields (RFC 9110 sections 5.6.7 and 6.6.1).
 *
 * @module
 */

let second = NaN;
let text = "";

/** A date in the form of a Date field: IMF-fixdate. Written anew once a second. */
export function httpDate(date: Date): string {
  const now = Math.floor(date.getTime() / 1000);
  if (now !== second) {
    second = now;
    text = date.toUTCString();
  }
  return text;
}
