<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Settings;
use Proletarier\Spool;

/**
 * Makes the service of the spool.
 */
final class SpoolFactory
{
    public function __invoke($container, $name = null, $options = null): Spool
    {
        return new Spool(Settings::of($container));
    }
}
