import { assertEquals } from "@std/assert";
import { grafanaDashboard } from "../../src/cli/packaging/grafana.ts";
import { METRICS } from "../../src/observe/metric_table.ts";

Deno.test("grafana: a graph shows each metric, and no other", () => {
  const names = Object.values(METRICS).flatMap(({ family }) => family?.name ?? []);
  const shown = grafanaDashboard().match(/sluice_\w+/g)!.map((name) => name.replace(/_bucket$/, ""));
  assertEquals([...new Set(shown)].toSorted(), names.toSorted());
});
