<?php

declare(strict_types=1);

namespace Proletarier\Testing;

use PHPUnit\Framework\Assert;

/**
 * Fails as PHPUnit does where it is there, and counts as an assertion of its test; elsewhere with an AssertionError.
 */
final class Assertion
{
    public static function that(bool $holds, string $message): void
    {
        if (class_exists(Assert::class)) {
            Assert::assertTrue($holds, $message);
        } elseif (!$holds) {
            throw new \AssertionError($message);
        }
    }
}
