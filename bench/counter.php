<?php

/** Provides the shared counter that every peer's handler adds to, so that the end of a run is seen from outside at once. */

declare(strict_types=1);

namespace Bench;

/** A counter of up to 63 processes, in shared memory. */
final class Counter
{
    private const SLOTS = 64;

    private \Shmop $memory;
    private int $slot = -1;
    private int $count = 0;

    public function __construct(int $key)
    {
        $memory = shmop_open($key, 'c', 0600, self::SLOTS * 8);
        if ($memory === false) {
            throw new \RuntimeException("no shared memory under key $key");
        }
        $this->memory = $memory;
    }

    /** One event was handled by this process. */
    public function add(): void
    {
        if ($this->slot < 0) {
            $this->slot = getmypid() % self::SLOTS;
            $this->count = $this->slotCount($this->slot);
        }
        shmop_write($this->memory, pack('P', ++$this->count), $this->slot * 8);
    }

    /** Events handled by all. */
    public function sum(): int
    {
        return array_sum(unpack('P*', shmop_read($this->memory, 0, self::SLOTS * 8)));
    }

    public function reset(): void
    {
        shmop_write($this->memory, str_repeat("\0", self::SLOTS * 8), 0);
    }

    public function remove(): void
    {
        shmop_delete($this->memory);
    }

    private function slotCount(int $slot): int
    {
        return unpack('P', shmop_read($this->memory, $slot * 8, 8))[1];
    }
}
