<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Frees objects that refer to each other while nothing waits. PHP does so by itself, but only at 10,000 candidates, in the middle of an event, and
 * whatever they hold: connections, files, megabytes.
 */
final class Cycles
{
    /** So few candidates are not worth a look, unless memory has grown. */
    private const CANDIDATES = 500;

    /** So much more memory than after the last look is, in bytes. */
    private const GROWTH = 4 << 20;

    private int $memory;

    public function __construct()
    {
        $this->memory = memory_get_usage();
    }

    /**
     * @return int how many it freed
     */
    public function free(): int
    {
        $candidates = gc_status()['roots'];
        $isWorthIt = $candidates >= self::CANDIDATES || ($candidates > 0 && memory_get_usage() >= $this->memory + self::GROWTH);
        if (!$isWorthIt) {
            return 0;
        }
        $freed = gc_collect_cycles();
        $this->memory = memory_get_usage();

        return $freed;
    }
}
