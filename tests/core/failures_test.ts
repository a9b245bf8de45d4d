/**
 * What failed is told with its place and the command that runs it alone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { failures } from "../../scripts/failures.ts";

/** As `deno test --parallel` prints it. */
const OUTPUT = `./tests/core/a_test.ts => it's good ... ok (1ms)
./tests/core/a_test.ts => it's bad ... FAILED (7ms)
./tests/conformance/b_test.ts => a > b ... bun ... ok (2s)
./tests/conformance/b_test.ts => a > b ... deno -R -W ... FAILED (2s)
./tests/conformance/b_test.ts => a > b ... FAILED (due to 1 failed step) (2s)
./tests/contract/node26_test.ts => contract: node26 ... a dial is refused ... FAILED (2s)
./tests/contract/node26_test.ts => contract: node26 ... FAILED (due to 1 failed step) (2s)
./tests/core/a_test.ts => a ... FAILED (7ms)
Uncaught error from ./tests/core/c_test.ts FAILED

 ERRORS 

a > b ... deno -R -W => ./tests/conformance/suite.ts:45:18
error: AssertionError: Values are not equal.


    [Diff] Actual / Expected


-   true
+   false

    at file:///checkout/tests/conformance/b_test.ts:8:3
    at async file:///checkout/tests/conformance/suite.ts:42:5

it's bad => ./tests/core/a_test.ts:2:6
error: Error: no
    at file:///checkout/tests/support/helper.ts:5:1
    at file:///checkout/tests/core/a_test.ts:21:78
    at file:///checkout/tests/core/a_test.ts:99:1

contract: node26 ... a dial is refused => ./tests/contract/suite.ts:40:18
error: Error: late

a => ./tests/core/a_test.ts:9:6
error: Error: no
    at file:///checkout/tests/core/a_test.ts:10:3

./tests/core/c_test.ts (uncaught error)
error: (in promise) Error: stray
    at file:///checkout/tests/core/c_test.ts:1:16

 FAILURES 

a > b ... deno -R -W => ./tests/conformance/suite.ts:45:18
it's bad => ./tests/core/a_test.ts:2:6
./tests/core/c_test.ts (uncaught error)

FAILED | 2 passed (5 steps) | 3 failed (2 steps) (4s)
`;

Deno.test("each failed case has its place, its name and the command that runs it alone", () => {
  assertEquals(failures(OUTPUT), [
    {
      where: "tests/core/a_test.ts:21",
      what: "it's bad",
      command: `deno test -A tests/core/a_test.ts --filter 'it'\\''s bad'`,
    },
    {
      where: "tests/conformance/b_test.ts:8",
      what: "a > b, deno -R -W",
      command: "SLUICE_ROW='deno -R -W' deno test -A tests/conformance/b_test.ts --filter 'a > b'",
    },
    {
      where: "tests/contract/node26_test.ts",
      what: "contract: node26, a dial is refused",
      command:
        "SLUICE_CASE='a dial is refused' deno test -A tests/contract/node26_test.ts --filter 'contract: node26'",
    },
    {
      where: "tests/core/a_test.ts:10",
      what: "a",
      command: "deno test -A tests/core/a_test.ts --filter 'a'",
    },
    {
      where: "tests/core/c_test.ts:1",
      what: "an error outside of its tests",
      command: "deno test -A tests/core/c_test.ts",
    },
  ]);
});

Deno.test("where nothing failed, nothing is told", () => {
  assertEquals(
    failures("./tests/core/a_test.ts => good ... ok (1ms)\n\nok | 1 passed | 0 failed (1ms)\n"),
    [],
  );
});
