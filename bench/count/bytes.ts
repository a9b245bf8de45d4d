/**
 * Counts the bytes that a program on Node allocates on V8's heap: `node --import bytes.ts PROGRAM`. At each SIGUSR2 it
 * tells how many there have been. The count is what is in use, and what each garbage collection has freed.
 *
 * @module
 */

import process from "node:process";
import { GCProfiler, getHeapStatistics } from "node:v8";

let freed = 0;
let profiler = new GCProfiler();
profiler.start();

let asked = 0;
process.on("SIGUSR2", () => {
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    freed += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
  }
  const bytes = freed + getHeapStatistics().used_heap_size;
  profiler = new GCProfiler();
  profiler.start();
  console.error(`count ${++asked}: ${bytes}`);
});
