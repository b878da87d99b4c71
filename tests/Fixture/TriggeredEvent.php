<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * An event as trigger() takes it: any object with these methods.
 */
final class TriggeredEvent
{
    public function __construct(private mixed $name, private mixed $params = [])
    {
    }

    public function getName(): mixed
    {
        return $this->name;
    }

    public function getParams(): mixed
    {
        return $this->params;
    }
}
