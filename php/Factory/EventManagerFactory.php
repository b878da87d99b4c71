<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Framework\Framework;
use Proletarier\InternalEvents;

/**
 * Makes the service Proletarier\EventManager, on which the application listens to what happens in a worker (`worker.launch`, ...):
 * an EventManager of the framework, without its shared listeners, or a small one where there is no framework.
 */
final class EventManagerFactory
{
    public function __invoke($container, $name = null, $options = null): object
    {
        return Framework::internalEvents() ?? new InternalEvents();
    }
}
