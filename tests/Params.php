<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * Params of every kind that JSON can carry, made from a number, so that who receives them can make them again and compare.
 */
final class Params
{
    /** @return array<string, mixed> */
    public static function of(int $number): array
    {
        $kinds = [
            ['text' => 'Zwölf Äpfel 🍏 "quoted" \\ / ' . "\n\t\u{0}\u{2028}"],
            ['float' => $number / 7, 'whole' => 1.0, 'small' => 1.0e-300, 'negative' => -0.1],
            ['large' => PHP_INT_MAX - $number, 'least' => PHP_INT_MIN],
            ['empty' => [], 'text' => '', 'nothing' => null, 'no' => false, 'yes' => true],
            ['list' => range(0, $number % 50), 'nested' => ['a' => ['b' => ['c' => [['d' => $number]]]]]],
            ['long' => str_repeat('lang ', $number % 2000)],
            ['keys' => ['' => 1, 'ключ' => 2, '0' => 3, 'a.b' => 4]],
        ];

        return ['number' => $number] + $kinds[$number % count($kinds)];
    }
}
