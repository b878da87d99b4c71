<?php

/** Provides the events that every peer sends: about 200 bytes of JSON each. */

declare(strict_types=1);

namespace Bench;

/** @return array<string, mixed> */
function params(int $number): array
{
    return [
        'n' => $number,
        'customer' => 'ada@example.org',
        'article' => 'Zwölf Äpfel',
        'quantity' => 12,
        'price' => 3.5,
        'paid' => true,
        'address' => ['street' => 'Hauptstraße 1', 'city' => 'Köln', 'zip' => '50667'],
        'tags' => ['fresh', 'local', 'fruit'],
    ];
}

/** The time that `$send` takes for each of `$count` events, `$pause` microseconds apart (0: flat out), in nanoseconds, sorted. */
function timed(int $count, int $pause, callable $send): array
{
    $times = [];
    for ($number = 0; $number < $count; $number++) {
        $params = params($number);
        $before = hrtime(true);
        $send($params);
        $times[] = hrtime(true) - $before;
        if ($pause > 0) {
            $until = hrtime(true) + $pause * 1000;
            usleep($pause);
            while (hrtime(true) < $until) {
            }
        }
    }
    sort($times);

    return $times;
}

/** @param list<int> $sorted */
function percentile(array $sorted, float $part): float
{
    return $sorted[(int) min(count($sorted) - 1, floor(count($sorted) * $part))] / 1000;
}
