<?php

declare(strict_types=1);

namespace Proletarier\Listener;

/**
 * A listener aggregate that the configuration names; made in the worker, as a NamedListener's is.
 */
final class NamedAggregate
{
    public function __construct(private Source $source)
    {
    }

    public function make(): void
    {
        $aggregate = $this->source->make();
        if (!is_callable([$aggregate, 'attach'])) {
            throw $this->source->error(sprintf(
                'is %s, which is no listener aggregate: it has no attach(). Is the event missing? [event, listener]',
                $aggregate::class
            ));
        }
    }

    /**
     * @param object $events what the worker attaches listeners to
     */
    public function attach(object $events, int $priority = 1): void
    {
        $this->make();
        $this->source->make()->attach($events, $priority);
    }
}
