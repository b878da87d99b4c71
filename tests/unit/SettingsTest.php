<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;
use Proletarier\Settings;
use Proletarier\Tests\Fixture\Services;

/**
 * What is read from an application's configuration, and the default that depends on the machine.
 */
final class SettingsTest extends TestCase
{
    /**
     * @dataProvider names
     */
    public function testReadsTheConfiguration(string $service): void
    {
        $settings = Settings::of(new Services([$service => ['proletarier' => ['state_dir' => '/s', 'worker' => ['pool_size' => 2]]]]));

        self::assertSame(['state_dir' => '/s', 'worker' => ['pool_size' => 2]], $settings);
    }

    public static function names(): iterable
    {
        yield ['config'];
        yield ['Config'];
    }

    public function testStateDirectoryIsBelowTheApplication(): void
    {
        $directory = Settings::of(new Services(['config' => []]))['state_dir'];

        self::assertStringStartsWith('/', $directory);
        self::assertStringEndsWith('/data/proletarier', $directory);
    }

    public function testADefaultThatADeployWouldStrandIsRefused(): void
    {
        self::assertSame('/srv/shop/data/proletarier', Settings::stateDirectory('/srv/shop'));

        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('state_dir: the default /srv/shop/releases/7/data/proletarier would be left behind');
        Settings::stateDirectory('/srv/shop/releases/7');
    }

    public function testAWrongKey(): void
    {
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('proletarier: string is not allowed: give a map of settings');
        Settings::of(new Services(['config' => ['proletarier' => 'x']]));
    }
}
