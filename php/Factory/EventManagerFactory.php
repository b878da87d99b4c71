<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Framework\Names;
use Proletarier\InternalEvents;

/**
 * Makes the service Proletarier\EventManager, on which the application listens to what happens in a worker (`worker.launch`, ...):
 * an EventManager of the framework, without its shared listeners, or a small one where there is no framework.
 */
final class EventManagerFactory
{
    public function __invoke($container, $name = null, $options = null): object
    {
        $class = Names::eventManager();
        if ($class === null) {
            return new InternalEvents();
        }
        $events = new $class();
        if (method_exists($events, 'unsetSharedManager')) {
            // v2 looks for the application's shared manager by itself.
            $events->unsetSharedManager();
        }

        return $events;
    }
}
