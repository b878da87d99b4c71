<?php

declare(strict_types=1);

namespace Proletarier\Handler;

use Proletarier\EventInterface;

/**
 * Logs each event at level info: `['*', Proletarier\Handler\EventLogger::class, -1000]` logs those that all other listeners have had.
 */
final class EventLogger
{
    /**
     * @param object $log a PSR-3 logger, or any with info($message, $context)
     * @param bool $params whether params are logged too: they may be personal, or secret
     */
    public function __construct(private object $log, private bool $params = false)
    {
    }

    public function __invoke(EventInterface $event): void
    {
        $context = ['id' => $event->getId(), 'attempt' => $event->getAttempt()];
        if ($this->params) {
            $context['params'] = $event->getParams();
        }
        $this->log->info($event->getName(), $context);
    }
}
