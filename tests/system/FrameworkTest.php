<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * Listeners of an application that has Laminas' EventManager run through one, in its order, with its events.
 */
final class FrameworkTest extends TestCase
{
    private Daemon $daemon;

    protected function setUp(): void
    {
        $this->daemon = (new Daemon(['worker' => ['pool_size' => 1]], __DIR__ . '/laminas.php'))->start();
    }

    public function testListenersRunInTheEventManagersOrder(): void
    {
        $this->daemon->client()->trigger('ordered');
        $handled = $this->daemon->awaitHandled(5);
        self::assertSame(['early', 'second', 'third', 'all', 'late'], array_column($handled, 'listener'));
        self::assertSame(['Proletarier\Framework\Event'], array_unique(array_column($handled, 'class')));
    }

    public function testAListenerThatThrowsNeitherStopsNorRepeatsTheOthers(): void
    {
        $this->daemon->client()->trigger('ordered', ['throw' => true]);
        $handled = $this->daemon->awaitHandled(6);
        self::assertSame(['early', 'second', 'third', 'all', 'late', 'early'], array_column($handled, 'listener'));
        self::assertSame([1, 1, 1, 1, 1, 2], array_column($handled, 'attempt'));
    }

    public function testStopPropagationStopsTheOthers(): void
    {
        $this->daemon->client()->trigger('stopped');
        $this->daemon->client()->trigger('ordered');
        self::assertSame(['stop', 'early'], array_slice(array_column($this->daemon->awaitHandled(6), 'listener'), 0, 2));
    }
}
