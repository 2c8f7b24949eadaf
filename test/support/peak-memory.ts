import { existsSync, readFileSync } from "node:fs";

/** The most memory that this process had resident, in bytes. */
export function peakMemory(): number {
  // Linux counts the memory of the parent before exec into maxRSS
  if (!existsSync("/proc/self/status")) return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}
