<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Log;
use Proletarier\Settings;

/**
 * Makes the service Proletarier\Log. Put a PSR-3 logger of your own under that name to have the workers' lines there.
 */
final class LogFactory
{
    public function __invoke($container, $name = null, $options = null): Log
    {
        return Log::create(Settings::of($container)['log'] ?? []);
    }
}
