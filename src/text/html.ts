/**
 * Text in HTML.
 *
 * @module
 */

/** Text with its special characters escaped for HTML, also within quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
