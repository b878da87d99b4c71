<?php

declare(strict_types=1);

namespace Proletarier\Framework;

use Proletarier\Exception\Configuration;

/**
 * The framework's EventManager with a guard around each listener. Loaded by Framework::create(), which gives BaseEventManager its
 * meaning.
 *
 * Signatures satisfy v2 and v3 of the parent: untyped, with v2's defaults. As in v2, attach() also takes an aggregate or several names.
 */
final class EventManager extends BaseEventManager
{
    /** @var list<array{callable, mixed}> each listener, and what the parent gave for its guard: what detach() needs */
    private array $attached = [];

    /**
     * @param \Closure(string, callable, int): callable $wrap
     */
    public function __construct(private \Closure $wrap)
    {
        parent::__construct();
        if (method_exists($this, 'unsetSharedManager')) {
            // v2 looks for the application's shared manager by itself.
            $this->unsetSharedManager();
        }
    }

    public function attach($eventName, $listener = null, $priority = 1)
    {
        if (is_array($eventName)) {
            return array_map(fn ($name) => $this->attach($name, $listener, $priority), $eventName);
        }
        if (is_object($eventName)) {
            return $this->attachAggregate($eventName, $listener ?? $priority);
        }
        if (!is_callable($listener)) {
            throw new Configuration(sprintf("the listener of '%s' is no callable, but %s", $eventName, get_debug_type($listener)));
        }
        $guard = parent::attach($eventName, ($this->wrap)((string) $eventName, $listener, (int) $priority), $priority);
        $this->attached[] = [$listener, $guard];

        return $guard;
    }

    public function attachAggregate($aggregate, $priority = 1)
    {
        return $aggregate->attach($this, $priority);
    }

    /**
     * Takes what attach() returned, as aggregates do, or the listener itself.
     */
    public function detach($listener, $eventName = null, $force = false)
    {
        $detached = false;
        foreach ($this->attached as [$original, $guard]) {
            if ($original === $listener) {
                $detached = parent::detach($guard, $eventName, $force);
            }
        }

        return $detached ?: parent::detach($listener, $eventName, $force);
    }
}
