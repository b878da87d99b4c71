<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * What the system tells of a daemon's processes, where it is on this machine and may be asked: the memory that each has for itself.
 *
 * Asked here and not by the daemon, which has better to do.
 */
final class Processes
{
    /**
     * The daemon's processes, the supervisor first, with `memory`: private bytes, null where it is not to be had.
     *
     * @param array<string, mixed> $status as the daemon tells it
     *
     * @return list<array<string, mixed>>
     */
    public static function of(array $status): array
    {
        $all = [['role' => 'supervisor', 'pid' => $status['supervisor']], ['role' => 'broker', 'pid' => $status['pid']]];
        $zygotes = [];
        foreach ($status['processes'] as $worker) {
            $parent = self::parent($worker['pid']);
            if ($parent > 1 && $parent !== $status['supervisor']) {
                $zygotes[$parent] = ['role' => 'zygote', 'pid' => $parent, 'generation' => $worker['generation']];
            }
        }
        foreach ($status['processes'] as $worker) {
            $zygotes[] = ['role' => 'worker'] + $worker;
        }
        $memory = static fn (array $process): array => $process + ['memory' => self::memory($process['pid'])];

        return array_map($memory, [...$all, ...array_values($zygotes)]);
    }

    /** Bytes that no other process shares; null where the system does not say. */
    public static function memory(int $pid): ?int
    {
        $rollup = @file_get_contents("/proc/$pid/smaps_rollup");
        if ($rollup === false || preg_match_all('/^Private_\w+:\s+(\d+) kB/m', $rollup, $found) === 0) {
            return null;
        }

        return 1024 * array_sum($found[1]);
    }

    /** Whether the process is there, and has not ended. */
    public static function lives(int $pid): bool
    {
        return !in_array(self::stat($pid)[0], ['', 'Z', 'X'], true);
    }

    private static function parent(int $pid): int
    {
        return (int) (self::stat($pid)[1] ?? 0);
    }

    /** @return list<string> the process's state, and its parent; an empty state where it is gone */
    private static function stat(int $pid): array
    {
        $stat = (string) @file_get_contents("/proc/$pid/stat");
        $place = strrpos($stat, ')');

        return $place === false ? [''] : explode(' ', substr($stat, $place + 2), 3);
    }
}
