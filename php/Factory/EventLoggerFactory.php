<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Handler\EventLogger;
use Proletarier\Settings;

/**
 * Makes the handler that logs events, with their params where `log.params` says so.
 */
final class EventLoggerFactory
{
    public function __invoke($container, $name = null, $options = null): EventLogger
    {
        return new EventLogger($container->get('Proletarier\Log'), Settings::of($container)['log']['params'] ?? false);
    }
}
