<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;

/**
 * What proletarier_recycle() says where there is no worker. In one it is in the system tests.
 */
final class RecycleTest extends TestCase
{
    public function testOutsideOfAWorkerNothingHappens(): void
    {
        self::assertFalse(\proletarier_recycle('the database has gone away'));
    }

    public function testWantsAReason(): void
    {
        $this->expectException(\ArgumentCountError::class);
        $this->expectExceptionMessage('proletarier_recycle() expects exactly 1 argument, 0 given');
        \proletarier_recycle(...[]);
    }
}
