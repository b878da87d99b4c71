<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * An object that says what JSON is to have.
 */
final class Serializable implements \JsonSerializable
{
    public function __construct(private mixed $value)
    {
    }

    public function jsonSerialize(): mixed
    {
        return $this->value;
    }
}
