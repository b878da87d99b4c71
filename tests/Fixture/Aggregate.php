<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * A listener aggregate as an application without a framework has it.
 */
final class Aggregate
{
    public static int $made = 0;

    private ?object $container = null;

    public function __construct()
    {
        self::$made++;
    }

    public function setServiceLocator(object $container): void
    {
        $this->container = $container;
    }

    public function getServiceLocator(): ?object
    {
        return $this->container;
    }

    public function attach($events, $priority = 1): void
    {
        $events->attach('a', [$this, 'on'], $priority);
    }

    public function on(object $event): void
    {
    }
}
