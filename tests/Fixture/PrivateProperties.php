<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * An object that would silently become {}.
 */
final class PrivateProperties
{
    private int $hidden = 2;
}
