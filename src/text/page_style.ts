/**
 * What all pages of the proxy have in common to the eye: colours for light and dark, and type.
 *
 * @module
 */

/** CSS. The colours are variables. */
export const PAGE_STYLE = `:root {
  color-scheme: light dark;
  --back: #f6f6f3; --card: #fff; --ink: #1c2128; --dim: #626b78; --line: #e4e4de; --soft: #f0f0ec;
  --down: #2563c9; --up: #0f8a7e; --good: #1a8245; --warn: #a15c07; --bad: #bb3a26;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #101316; --card: #171b1f; --ink: #e4e7ea; --dim: #96a0ad; --line: #282e35; --soft: #1e2328;
    --down: #76a9fa; --up: #54cbbd; --good: #63c584; --warn: #e0ad52; --bad: #f28b74;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  -webkit-text-size-adjust: 100% }
a { color: var(--down) }
`;
