<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * Chance that can be had again: what is drawn depends on the seed and on what it is drawn for, and on nothing else.
 */
final class Dice
{
    private int $drawn = 0;

    public function __construct(private string $seed)
    {
    }

    /** From 0 to, not quite, 1. */
    public function next(): float
    {
        return self::of($this->seed, (string) $this->drawn++);
    }

    public function between(float $least, float $most): float
    {
        return $least + ($most - $least) * $this->next();
    }

    public function chance(float $probability): bool
    {
        return $this->next() < $probability;
    }

    /**
     * @template T
     * @param non-empty-list<T> $of
     * @return T
     */
    public function pick(array $of): mixed
    {
        return $of[(int) ($this->next() * count($of))];
    }

    public static function of(string ...$what): float
    {
        return hexdec(substr(hash('xxh3', implode("\0", $what)), 0, 13)) / 0x10000000000000;
    }
}
