<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * Provides the nearest known name to a mistyped one, for messages that say "did you mean"; the extension's rule, in PHP.
 */
final class Nearest
{
    /**
     * The first of the nearest names, by insertions, deletions, substitutions and swaps of neighbours, ignoring ASCII case; null where
     * more than a third of the longer name would have to change.
     *
     * @param list<string> $known
     */
    public static function of(string $wanted, array $known): ?string
    {
        $best = null;
        $least = PHP_INT_MAX;
        foreach ($known as $name) {
            $longer = max(strlen($wanted), strlen($name));
            $distance = self::distance(strtolower($wanted), strtolower($name));
            if ($distance <= max(1, intdiv($longer, 3)) && $distance < $longer && $distance < $least) {
                [$best, $least] = [$name, $distance];
            }
        }

        return $best;
    }

    private static function distance(string $a, string $b): int
    {
        $beforeLast = [];
        $last = range(0, strlen($b));
        for ($i = 0; $i < strlen($a); $i++) {
            $row = [$i + 1];
            for ($j = 0; $j < strlen($b); $j++) {
                $row[] = min($last[$j] + (int) ($a[$i] !== $b[$j]), $last[$j + 1] + 1, $row[$j] + 1);
                if ($i > 0 && $j > 0 && $a[$i] === $b[$j - 1] && $a[$i - 1] === $b[$j]) {
                    $row[$j + 1] = min($row[$j + 1], $beforeLast[$j - 1] + 1);
                }
            }
            [$beforeLast, $last] = [$last, $row];
        }

        return $last[strlen($b)];
    }
}
