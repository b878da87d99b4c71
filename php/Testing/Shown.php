<?php

declare(strict_types=1);

namespace Proletarier\Testing;

/**
 * Provides how messages show a refused value: numbers, booleans and short strings as JSON, the rest by its type.
 */
final class Shown
{
    private const MOST = 64;

    public static function value(mixed $value): string
    {
        return match (true) {
            is_string($value) && strlen($value) > self::MOST => sprintf('a string of %d bytes', strlen($value)),
            is_string($value) && preg_match('//u', $value) !== 1 => 'a string that is not UTF-8',
            is_float($value) && !is_finite($value) => is_nan($value) ? 'NAN' : ($value > 0 ? 'INF' : '-INF'),
            is_scalar($value) => json_encode(
                $value,
                JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR
            ),
            default => get_debug_type($value),
        };
    }
}
