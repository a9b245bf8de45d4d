/**
 * The dashboard to the eye.
 *
 * @module
 */

import { PAGE_STYLE } from "../text/page_style.ts";

/** CSS. Rows have the height of `--row`, on which the script relies. */
export const DASHBOARD_STYLE = `${PAGE_STYLE}
:root { --row: 36px }
body { font-variant-numeric: tabular-nums }
header, main, footer { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .9rem; padding-top: 1.1rem;
  padding-bottom: .9rem }
h1 { font-size: 1.05rem; font-weight: 650; margin: 0; display: flex; align-items: center; gap: .6rem }
h1::before { content: ""; width: .6rem; height: .6rem; border-radius: 50%; background: var(--state, var(--good)) }
header p { margin: 0; color: var(--dim) }
header .end { margin-left: auto }
h2 { font-size: .8125rem; font-weight: 600; margin: 0; color: var(--dim) }
button, select, input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 7px; padding: .3rem .7rem }
button { cursor: pointer }
button:hover { background: var(--soft) }
button.danger { color: var(--bad) }
:focus-visible { outline: 2px solid var(--down); outline-offset: -2px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden }
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .9rem }
.tile { padding: .85rem 1rem 0; position: relative }
.tile p { margin: 0 }
.tile .big { font-size: 1.55rem; line-height: 1.35; font-weight: 600; letter-spacing: -.01em }
.tile .big small { font-size: .9rem; font-weight: 500; color: var(--dim); letter-spacing: 0 }
.tile .all { color: var(--dim); font-size: .8125rem }
.tile svg { display: block; width: calc(100% + 2rem); height: 52px; margin: .5rem -1rem 0 }
.tile path { vector-effect: non-scaling-stroke; stroke: var(--tone); stroke-width: 1.5; fill: none;
  stroke-linejoin: round }
.tile path.area { stroke: none; fill: var(--tone); opacity: .13 }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .8rem; padding: .7rem 1rem }
.bar h2 { margin-right: auto; font-size: .9375rem; color: var(--ink) }
.bar h2 span { color: var(--dim); font-weight: 400; margin-left: .4rem }
#search { width: 17rem; background: var(--back) }
#order { display: none }
#open { margin-top: .9rem }
#scroll { max-height: min(58vh, 40rem); overflow: auto; border-top: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th, td { text-align: left; font-weight: 400; padding: 0 .5rem; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis }
th:first-child, td:first-child { padding-left: 1rem }
th:last-child, td:last-child { padding-right: 1rem }
.n { text-align: right }
#rows th, #rows td { height: var(--row) }
#rows thead th { position: sticky; top: 0; background: var(--card); box-shadow: 0 1px 0 var(--line); z-index: 1 }
#rows thead button { border: 0; background: none; padding: 0; color: var(--dim); font-size: .8125rem }
#rows thead button:hover { color: var(--ink) }
#rows thead [aria-sort] button { color: var(--ink); font-weight: 600 }
#rows thead [aria-sort=descending] button::after { content: " \\2193" }
#rows thead [aria-sort=ascending] button::after { content: " \\2191" }
#rows tbody tr:not(.pad) { box-shadow: inset 0 -1px 0 var(--line); cursor: default }
#rows tbody tr:not(.pad):hover, #rows tbody tr:focus { background: var(--soft) }
#rows .pad td { height: auto; padding: 0 }
#rows .target { width: 25% } #rows .via { width: 12% } #rows .user { width: 9% } #rows .client { width: 14% }
#rows .act { width: 3.4rem; text-align: right }
#rows td.via, #rows td.client, #rows td.age, #rows td.who, .dim { color: var(--dim) }
#rows td.down:not(.still) { color: var(--down) } #rows td.up:not(.still) { color: var(--up) }
.still { color: var(--dim); opacity: .55 }
.x { border: 0; background: none; padding: 0 .45rem; color: var(--dim); border-radius: 5px; line-height: 1.6 }
.x:hover { color: var(--bad); background: var(--soft) }
.none { padding: 1.6rem 1rem; margin: 0; color: var(--dim); text-align: center }
.panels { columns: 2; column-gap: .9rem; margin-top: .9rem }
.panels .card, .refusals { break-inside: avoid; margin-bottom: .9rem; padding-bottom: .4rem }
.panels td, .refusals td { height: 32px; border-top: 1px solid var(--line) }
.panels table { table-layout: auto }
.panels .wide { width: 100%; max-width: 0 }
.panels td.n { padding-left: .8rem }
#most td.act { text-overflow: clip }
.panels + .card { margin-top: .9rem }
.refusals .stamp { width: 6.5rem } .refusals .who { width: 20% } .refusals .target { width: 26% }
td.wrap { white-space: normal; padding-top: .35rem; padding-bottom: .35rem; overflow-wrap: anywhere }
.tabs { display: flex; gap: .15rem; background: var(--soft); border-radius: 8px; padding: 2px }
.tabs button { border: 0; background: none; padding: .1rem .6rem; font-size: .8125rem; color: var(--dim) }
.tabs [aria-pressed=true] { background: var(--card); color: var(--ink); box-shadow: 0 0 0 1px var(--line) }
.share { background: linear-gradient(var(--soft), var(--soft)) 0 50% / var(--part, 0%) 70% no-repeat }
.mark { display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; margin-right: .5rem;
  background: var(--good) }
.bad { color: var(--bad) } .warn { color: var(--warn) } .mark.bad { background: var(--bad) }
dialog { border: 1px solid var(--line); border-radius: 12px; background: var(--card); color: var(--ink);
  padding: 1.2rem 1.4rem; width: min(32rem, calc(100vw - 2rem)); overflow-wrap: anywhere }
dialog::backdrop { background: #0006 }
dialog h2 { font-size: 1rem; color: var(--ink); margin-bottom: .8rem }
dialog dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1rem }
dialog dt { color: var(--dim) }
dialog dd { margin: 0 }
dialog .row { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: flex-end; margin-top: 1rem }
dialog label { display: block; color: var(--dim) }
dialog input { width: 100%; margin-top: .3rem; background: var(--back) }
#said { position: fixed; left: 50%; bottom: 1.5rem; transform: translateX(-50%); background: var(--ink);
  color: var(--back); border-radius: 8px; padding: .5rem 1rem; max-width: calc(100vw - 2rem); z-index: 3 }
footer { color: var(--dim); font-size: .8125rem; padding-top: .4rem; padding-bottom: 2rem }
[hidden] { display: none !important }
noscript table { max-width: 44rem; margin-bottom: 1.5rem }
noscript th, noscript td { padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line) }
@media (max-width: 70rem) {
  #rows .via, #rows .sum { display: none }
  #rows .target { width: 34% } #rows .user { width: 12% } #rows .client { width: 19% }
}
@media (max-width: 54rem) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .panels { columns: 1 }
}
@media (max-width: 40rem) {
  :root { --row: 60px }
  header, main, footer { padding-left: .75rem; padding-right: .75rem }
  header .end { width: 100%; display: flex; gap: .5rem; margin: 0 }
  .tiles { gap: .6rem }
  .tile { padding: .7rem .8rem 0 }
  .tile .big { font-size: 1.25rem }
  .tile svg { height: 36px; width: calc(100% + 1.6rem); margin: .3rem -.8rem 0 }
  .tile .all { white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
  #search { flex: 1; width: 8rem; min-width: 0 }
  #order { display: block; min-width: 0 }
  .bar h2 { width: 100% }
  #rows thead { display: none }
  #rows tbody tr:not(.pad) { display: grid; grid-template-columns: 1fr auto auto; align-content: center;
    height: var(--row); padding: 0 .25rem 0 .8rem; column-gap: .6rem }
  #rows tbody tr:not(.pad) td { height: auto; padding: 0; line-height: 1.45; width: auto }
  #rows td.target { grid-area: 1 / 1 } #rows td.down { grid-area: 1 / 2 }
  #rows td.who { grid-area: 2 / 1; display: block } #rows td.up { grid-area: 2 / 2 }
  #rows td.act { grid-area: 1 / 3 / 3 / 3; align-self: center }
  #rows td.user, #rows td.client, #rows td.age, #rows td.via, #rows td.sum { display: none }
  .refusals tr { display: grid; grid-template-columns: auto 1fr; border-top: 1px solid var(--line);
    padding: .4rem .8rem; column-gap: .8rem }
  .refusals td { height: auto; border: 0; padding: 0 !important; width: auto !important }
  .refusals td.target, .refusals td.wrap { grid-column: 1 / 3 }
  #most td.dim { display: none }
  .x { font-size: 1.2rem; padding: .5rem .8rem }
}
@media (min-width: 40.01rem) { #rows .who { display: none } }
@media (prefers-reduced-motion: no-preference) { button { transition: background .12s } }
`;
