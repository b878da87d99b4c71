<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

/**
 * An object that JSON can say, without the half that is hidden.
 */
final class PublicProperties
{
    public int $shown = 1;

    private int $hidden = 2;
}
