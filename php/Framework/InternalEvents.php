<?php

declare(strict_types=1);

namespace Proletarier\Framework;

/**
 * The service Proletarier\EventManager where there is a framework: its EventManager, which also tells whether somebody listens. Loaded by
 * Framework::internalEvents(), which gives BaseEventManager its meaning.
 */
final class InternalEvents extends BaseEventManager
{
    /** Whether somebody listens to the event. Both generations keep listeners by name. */
    public function hears(string $name): bool
    {
        return isset($this->events[$name]) || isset($this->events['*']);
    }
}
