<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

use Proletarier\Handler\AbstractHandler;

/**
 * A handler with each kind of method. Counts how often one was made, and remembers its events.
 */
final class Handler extends AbstractHandler
{
    public static int $made = 0;

    public array $events = [];

    public function __construct()
    {
        self::$made++;
    }

    public function __invoke(object $event): string
    {
        $this->events[] = $event;

        return 'invoked';
    }

    public function handle(object $event): string
    {
        return 'handled';
    }

    public static function handleStatically(object $event): string
    {
        return 'handled statically';
    }

    private function hide(): void
    {
    }
}
