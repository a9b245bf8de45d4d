#!/usr/bin/env node
/**
 * The program's entry. It always starts: behind the link that npm makes of a bin, Node 20 cannot tell whether
 * a module is the main one.
 *
 * @module
 */

import { main } from "./cli/main.ts";

main();
