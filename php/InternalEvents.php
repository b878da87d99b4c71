<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * The service Proletarier\EventManager where there is no framework: attach() and trigger(), enough for internal events.
 *
 *     $container->get('Proletarier\EventManager')->attach('worker.idle', static fn (array $params) => gc_collect_cycles());
 */
final class InternalEvents
{
    /** @var array<string, array<int, list<callable(array<string, mixed>, string): mixed>>> by name and priority */
    private array $listeners = [];

    /**
     * @param callable(array<string, mixed>, string): mixed $listener gets the event's params and its name
     */
    public function attach(string $name, callable $listener, int $priority = 1): void
    {
        $this->listeners[$name][$priority][] = $listener;
        krsort($this->listeners[$name]);
    }

    /**
     * @param array<string, mixed> $params
     */
    public function trigger(string $name, ?object $target = null, array $params = []): void
    {
        foreach ($this->listeners[$name] ?? [] as $listeners) {
            foreach ($listeners as $listener) {
                $listener($params, $name);
            }
        }
    }

    /** Whether somebody listens to the event. */
    public function hears(string $name): bool
    {
        return isset($this->listeners[$name]);
    }
}
