<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Control;
use Proletarier\Settings;

/**
 * Makes the service that asks the daemon.
 */
final class ControlFactory
{
    public function __invoke($container, $name = null, $options = null): Control
    {
        return new Control(Settings::of($container));
    }
}
