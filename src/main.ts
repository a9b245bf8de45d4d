#!/usr/bin/env node
/**
 * The program's entry. It starts without asking whether it is the main module: npm links to a bin, and behind a link
 * Node 20 cannot tell.
 *
 * @module
 */

import { main } from "./cli/main.ts";

main();
