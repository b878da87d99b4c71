<?php

declare(strict_types=1);

namespace Proletarier\Listener;

/**
 * A listener that the configuration names. It stands in for the real one, which is made in the worker: what a listener holds (a
 * database connection, say) must not be shared over the fork.
 */
final class NamedListener
{
    /** @var callable|null */
    private $listener;

    public function __construct(private Source $source, private string $method = '__invoke')
    {
    }

    public function make(): void
    {
        $listener = [$this->source->make(), $this->method];
        if (!is_callable($listener)) {
            throw $this->source->error(sprintf('is %s, which has no public method %s()', $listener[0]::class, $this->method));
        }
        $this->listener = $listener;
    }

    public function __invoke(object $event): mixed
    {
        if ($this->listener === null) {
            $this->make();
        }

        return ($this->listener)($event);
    }
}
