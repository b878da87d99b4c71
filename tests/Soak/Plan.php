<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * When what is done: all of it is drawn from the seed before anything begins.
 */
final class Plan
{
    /** Seconds at the beginning in which nothing is done, and at the end. */
    private const QUIET = 2.0;
    private const LATER = 0.5;

    /** @var list<array{float, Deed, float}> moments, in their order, and a draw each, that decides what the deed leaves open */
    private array $deeds = [];

    /** @param float $fury how many times as often as usual everything is done */
    public function __construct(float $seconds, string $seed, float $fury = 1.0)
    {
        $dice = new Dice("$seed plan");
        foreach (Deed::cases() as $deed) {
            $count = max(1, (int) round($fury * $seconds / $deed->pause()));
            for ($number = 0; $number < $count; $number++) {
                $this->deeds[] = [$dice->between(self::QUIET, max(self::QUIET, $seconds - self::QUIET)), $deed, $dice->next()];
            }
        }
        $this->sort();
    }

    private function sort(): void
    {
        usort($this->deeds, static fn (array $one, array $other): int => $one[0] <=> $other[0]);
    }

    /** What it was to be done to is not there: it is done later. */
    public function postpone(float $seconds, Deed $deed, float $draw): void
    {
        $this->deeds[] = [$seconds + self::LATER, $deed, $draw];
        $this->sort();
    }

    /** @return array{Deed, float}|null the next deed, when its moment has come */
    public function due(float $seconds): ?array
    {
        if ($this->deeds === [] || $this->deeds[0][0] > $seconds) {
            return null;
        }
        [, $deed, $draw] = array_shift($this->deeds);

        return [$deed, $draw];
    }
}
