<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * A container of ready objects. Remembers what was asked for.
 */
final class Services
{
    /** @var list<string> */
    public array $asked = [];

    public function __construct(private array $services = [])
    {
    }

    public function has(string $id): bool
    {
        return isset($this->services[$id]);
    }

    public function get(string $id): mixed
    {
        $this->asked[] = $id;

        return $this->services[$id];
    }
}
