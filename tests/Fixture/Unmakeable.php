<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * A handler that cannot be made.
 */
final class Unmakeable
{
    public function __construct()
    {
        throw new \RuntimeException('no database');
    }

    public function __invoke(object $event): void
    {
    }
}
