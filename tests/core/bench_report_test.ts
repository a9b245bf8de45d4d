import { assertEquals } from "@std/assert";
import { BROWSER_FIELDS, type Figures, type Load, LOADS } from "../../bench/loads.ts";
import { overview, summarize, table } from "../../bench/report.ts";

const LOAD: Load = {
  name: "B-get",
  title: "GET",
  unit: "CPU seconds",
  suits: () => true,
  measure: () => Promise.reject(new Error("Nothing is measured")),
};

function rounds(...costs: number[]): Figures[] {
  return costs.map((cost) => ({ cost }));
}

Deno.test("summarize() compares the costs of the same round, and takes medians", () => {
  const [sluice, haproxy] = summarize(LOAD, [
    { contestant: "sluice", rounds: rounds(4, 30, 6) },
    { contestant: "haproxy", rounds: rounds(2, 10, 4) },
  ]);
  assertEquals(sluice.ratio, 2);
  assertEquals(sluice.median, { cost: 6 });
  assertEquals(haproxy.ratio, 1);
});

Deno.test("summarize() leaves out rounds in which nothing was done", () => {
  const [sluice, haproxy] = summarize(LOAD, [
    { contestant: "sluice", rounds: rounds(4, 30, 6, NaN) },
    { contestant: "haproxy", rounds: rounds(2, NaN, 0, 4) },
  ]);
  assertEquals(sluice.ratio, 2);
  assertEquals(sluice.median, { cost: 6 });
  assertEquals(haproxy.median, { cost: 2 });
});

Deno.test("table() prints the ratio first, in markdown, and tells who failed", () => {
  const results = summarize(LOAD, [
    { contestant: "sluice", rounds: rounds(3) },
    { contestant: "haproxy", rounds: rounds(2) },
    { contestant: "squid", rounds: [], failure: "Error: gone\nat once" },
  ]);
  assertEquals(
    table(LOAD, results),
    `## B-get: GET

cost: CPU seconds

|         | x haproxy | cost |
| ------- | --------: | ---: |
| sluice  |      1.50 | 3.00 |
| haproxy |      1.00 | 2.00 |
| squid   |           |      |

squid: Error: gone
`,
  );
});

Deno.test("overview() has a row for each load, others for latencies and set-ups, and the cost alone without a reference", () => {
  const loads = [{ ...LOAD, paced: true }, { ...LOAD, name: "B-tls" }, { ...LOAD, name: "I-bytes" }];
  const summaries = [
    ...summarize(loads[0], [
      { contestant: "sluice", rounds: [{ cost: 3, p50: 1, p99: 9 }] },
      { contestant: "haproxy", rounds: [{ cost: 2, p50: 0.5, p99: 8 }] },
    ]),
    ...summarize(loads[1], [{ contestant: "sluice", rounds: [{ cost: 5, overhead: 1.25 }] }]),
    ...summarize(loads[2], [{ contestant: "sluice", rounds: rounds(7) }]),
  ];
  assertEquals(
    overview(loads, summaries),
    `## x haproxy (cost)

|                       |      sluice |     haproxy |
| --------------------- | ----------: | ----------: |
| B-get                 | 1.50 (3.00) | 1.00 (2.00) |
| B-get: p50, p99 in ms |  1.00, 9.00 | 0.500, 8.00 |
| B-tls                 |        5.00 |             |
| B-tls: x plain        |        1.25 |             |
| I-bytes               |        7.00 |             |
`,
  );
});

Deno.test("LOADS: each has a name of its own", () => {
  const names = LOADS.map(({ name }) => name);
  assertEquals(names, [...new Set(names)]);
});

Deno.test("BROWSER_FIELDS: with Host they are twenty fields, each with its CRLF", () => {
  const fields = BROWSER_FIELDS.split("\r\n");
  assertEquals(fields.pop(), "");
  assertEquals(fields.filter((field) => /^[\w-]+: \S[^\n]*$/.test(field)).length, 19);
});
