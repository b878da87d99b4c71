<?php

declare(strict_types=1);

namespace Proletarier\Framework;

use Proletarier\EventInterface;

/**
 * Runs listeners through the framework's EventManager: what a worker attaches to, and dispatches events by.
 *
 * The worker asks for it by name, once, after its fork. The EventManager is a fresh one, never the application's: its own listeners of
 * `finish` or `dispatch` have nothing to do with an event of that name from elsewhere.
 */
final class Framework
{
    private function __construct(private EventManager $events, private string $trigger)
    {
    }

    /**
     * @param callable(string, callable, int): callable $wrap makes what is attached in a listener's place
     *
     * @return self|null null where there is no framework
     */
    public static function create(callable $wrap): ?self
    {
        if (!self::isThere()) {
            return null;
        }
        $events = new EventManager($wrap(...));

        // Before 2.6 there is no triggerEvent(), and trigger() takes an event.
        return new self($events, method_exists($events, 'triggerEvent') ? 'triggerEvent' : 'trigger');
    }

    /**
     * A fresh EventManager for internal events, without shared listeners; null where there is no framework.
     */
    public static function internalEvents(): ?InternalEvents
    {
        if (!self::isThere()) {
            return null;
        }
        $events = new InternalEvents();
        if (method_exists($events, 'unsetSharedManager')) {
            // v2 looks for the application's shared manager by itself.
            $events->unsetSharedManager();
        }

        return $events;
    }

    /**
     * Whether there is a framework. Gives the names that this namespace's classes extend their meaning.
     */
    private static function isThere(): bool
    {
        $class = Names::eventManager();
        if ($class !== null && !class_exists(BaseEventManager::class, false)) {
            class_alias($class, BaseEventManager::class);
            class_alias(substr($class, 0, -strlen('Manager')), BaseEvent::class);
        }

        return $class !== null;
    }

    public function attach(string $event, callable $listener, int $priority): void
    {
        $this->events->attach($event, $listener, $priority);
    }

    /**
     * @param object $aggregate a ListenerAggregateInterface of either generation, or any object with its attach()
     */
    public function attachAggregate(object $aggregate, int $priority = 1): void
    {
        $this->events->attachAggregate($aggregate, $priority);
    }

    public function dispatch(EventInterface $event): void
    {
        $this->events->{$this->trigger}(new Event($event));
    }
}
