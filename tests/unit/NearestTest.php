<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Nearest;

/**
 * The same cases as the extension's rule has in its own tests.
 */
final class NearestTest extends TestCase
{
    /**
     * @dataProvider names
     */
    public function testNearest(string $wanted, array $known, ?string $expected): void
    {
        self::assertSame($expected, Nearest::of($wanted, $known));
    }

    public static function names(): iterable
    {
        $settings = ['pool_size', 'bind', 'connect', 'timeout', 'min', 'max'];
        yield ['pool_sise', $settings, 'pool_size'];
        yield ['poolsize', $settings, 'pool_size'];
        yield ['conect', $settings, 'connect'];
        yield 'a swap' => ['tiemout', $settings, 'timeout'];
        yield 'the first of the equally near' => ['mix', $settings, 'min'];
        yield 'case' => ['Timeout', $settings, 'timeout'];
        yield ['serializer', $settings, null];
        yield ['', $settings, null];
        yield 'nothing shared' => ['x', ['y'], null];
        yield ['account.create', ['account.created', 'order.created'], 'account.created'];
    }
}
